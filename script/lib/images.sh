# What the tests put into containers: a base image made from the Debian archive, and the real Claude Code CLI. Sourced
# after engine.sh. Both are kept in .cache/test, so that only the first run needs the network.
# Exports ORCHESTRAD_TEST_BASE_IMAGE, ORCHESTRAD_TEST_CLAUDE and ORCHESTRAD_BUILD_CONTEXT_EXTRA.

CACHE=$PWD/.cache/test
BASE_SUITE=bookworm
BASE_PACKAGES=git,ca-certificates,curl,procps,tini

# No registry of images is needed: mmdebstrap makes the image, in half a minute.
have_base_image() {
  local recipe tar
  if [ -n "${ORCHESTRAD_TEST_BASE_IMAGE:-}" ]; then # the user's choice
    docker image inspect "$ORCHESTRAD_TEST_BASE_IMAGE" >/dev/null
    return
  fi
  export ORCHESTRAD_TEST_BASE_IMAGE=orchestrad-test/base
  recipe=$(echo "$BASE_SUITE $BASE_PACKAGES" | cksum | cut -d ' ' -f 1)
  if [ "$(docker image inspect --format '{{index .Config.Labels "io.orchestrad.recipe"}}' \
    "$ORCHESTRAD_TEST_BASE_IMAGE" 2>/dev/null)" = "$recipe" ]; then
    return 0
  fi
  tar=$CACHE/base-$recipe.tar
  if [ ! -f "$tar" ]; then make_base "$tar"; fi
  docker import -c 'CMD ["bash"]' -c "LABEL io.orchestrad.recipe=$recipe" "$tar" "$ORCHESTRAD_TEST_BASE_IMAGE"
}

make_base() { # make_base TAR
  local options sources=
  need mmdebstrap=mmdebstrap keyring=debian-archive-keyring || {
    echo "Or set ORCHESTRAD_TEST_BASE_IMAGE to a Debian image that has git, curl, ca-certificates and procps."
    return 1
  }
  mkdir -p "$CACHE"
  # How this machine reaches the archive (proxies, certificates), and its sources when they are of the same release.
  options=$(mktemp "$CACHE/apt.XXXXXX")
  apt-config dump --format '%f "%v";%n' | grep -E '^Acquire::(http|https|Check-|Retries|Verify)' >"$options" || true
  if grep -q "^VERSION_CODENAME=$BASE_SUITE$" /etc/os-release && [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sources=/etc/apt/sources.list.d/debian.sources
  fi
  as_root mmdebstrap --quiet --variant=minbase --aptopt="$options" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$BASE_PACKAGES" "$BASE_SUITE" - $sources >"$1.part"
  rm -f "$options"
  mv "$1.part" "$1"
}

# The CLI lies where a build of the agent image looks for it, so that one copy serves containers and engine `process`.
have_claude() {
  local version
  version=$(sed -n 's/^ARG CLAUDE_CODE_VERSION=//p' docker/agent.Dockerfile)
  export ORCHESTRAD_BUILD_CONTEXT_EXTRA=$CACHE/context-$version
  export ORCHESTRAD_TEST_CLAUDE=$ORCHESTRAD_BUILD_CONTEXT_EXTRA/cli/claude
  if [ -x "$ORCHESTRAD_TEST_CLAUDE" ]; then return 0; fi
  if command -v npm >/dev/null; then # its own configuration knows the registry, with credentials if it wants some
    fetch_claude_with_npm "$version"
  else
    sh docker/fetch-claude "$version" "${ORCHESTRAD_TEST_CLAUDE%/*}" ${NPM_CONFIG_REGISTRY:+"${NPM_CONFIG_REGISTRY%/}"}
  fi
}

fetch_claude_with_npm() { # fetch_claude_with_npm VERSION
  local work machine
  case $(uname -m) in aarch64 | arm64) machine=arm64 ;; *) machine=x64 ;; esac
  mkdir -p "${ORCHESTRAD_TEST_CLAUDE%/*}"
  work=$(mktemp -d "$CACHE/npm.XXXXXX")
  npm pack --silent --pack-destination "$work" "@anthropic-ai/claude-code-linux-$machine@$1"
  tar -xzf "$work"/*.tgz -C "$work" package/claude
  mv "$work/package/claude" "$ORCHESTRAD_TEST_CLAUDE"
  rm -rf "$work"
}
