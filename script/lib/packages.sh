# Programs that the machine must have: found, or installed with apt where that is allowed, or named. Sourced.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

at_least() { # at_least WANTED HAVE: versions like 3.2 and 3.3a
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Each prints why the program will not do, or nothing when it will.
lacks_git() {
  local have
  have=$(git --version 2>/dev/null | awk '{ print $3 }')
  if [ -z "$have" ]; then echo "git is missing"; elif ! at_least 2.38 "$have"; then echo "git is $have, and 2.38 is needed"; fi
}
lacks_tmux() {
  local have
  have=$(tmux -V 2>/dev/null | awk '{ print $2 }')
  if [ -z "$have" ]; then echo "tmux is missing"; elif ! at_least 3.2 "$have"; then echo "tmux is $have, and 3.2 is needed"; fi
}
lacks_curl() { command -v curl >/dev/null || echo "curl is missing"; }
lacks_docker() { command -v docker >/dev/null || echo "docker, the client, is missing"; }
lacks_dockerd() { command -v dockerd >/dev/null || echo "dockerd, the engine, is missing"; }
lacks_iptables() { as_root sh -c 'command -v iptables' >/dev/null || echo "iptables, which the engine needs, is missing"; }
lacks_mmdebstrap() { command -v mmdebstrap >/dev/null || echo "mmdebstrap is missing"; }
lacks_keyring() { [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || echo "the keys of the Debian archive are missing"; }
lacks_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo "$PYTHON cannot make virtual environments"; }

# need PROGRAM=PACKAGE...: installs what is lacking, all at once, or says which command would.
need() {
  local pair why packages=()
  for pair in "$@"; do
    why=$("lacks_${pair%%=*}")
    if [ -n "$why" ]; then
      echo "$why"
      packages+=("${pair#*=}")
    fi
  done
  if [ ${#packages[@]} = 0 ]; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "Install it with this system's package manager. (On Debian the packages are: ${packages[*]})"
    return 1
  fi
  if ! may_be_root; then
    echo "Run: sudo apt-get install --no-install-recommends ${packages[*]}"
    return 1
  fi
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
  for pair in "$@"; do
    why=$("lacks_${pair%%=*}")
    if [ -n "$why" ]; then
      echo "$why, also after ${pair#*=} was installed: this release of the system is too old"
      return 1
    fi
  done
}
