# A Docker engine for the tests: the one that is reachable, else one of our own in ENGINE_DIR. Sourced after packages.sh.
# Exports DOCKER_HOST.

# Short, because a Unix socket's path has at most 107 bytes and containerd adds its own part.
ENGINE_DIR=${ORCHESTRAD_TEST_ENGINE:-/tmp/orchestrad-engine-$(id -u)}
ENGINE_IS_OURS= # set when this run started it

engine_answers() { DOCKER_HOST=$1 timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Whether there is one to use: the one that the user's docker talks to, or one of ours that was left running.
find_engine() {
  local host
  command -v docker >/dev/null || return 1
  for host in "${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)}" \
    "unix://$ENGINE_DIR/docker.sock"; do
    if [ -n "$host" ] && engine_answers "$host"; then
      export DOCKER_HOST=$host
      return 0
    fi
  done
  return 1
}

have_engine() {
  if find_engine; then return 0; fi
  may_be_root || {
    echo "No Docker engine answers, and only root can start one."
    echo "Start Docker (and join its group), or run this as root or with passwordless sudo."
    return 1
  }
  need dockerd=docker.io iptables=iptables
  need docker=docker-cli # its own package since Debian 13, part of docker.io before
  if find_engine; then return 0; fi # the installation may have started the system's own
  start_engine
}

start_engine() {
  stop_engine # what one that was killed left behind
  mkdir -p "$ENGINE_DIR"
  ENGINE_IS_OURS=yes
  export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock
  # A session of its own, so that Ctrl-C ends the tests first and the engine after them. No flag for storage or cgroups
  # is needed: it chooses what works here.
  as_root setsid dockerd -H "$DOCKER_HOST" --group "$(id -gn)" --data-root "$ENGINE_DIR/data" \
    --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/dockerd.pid" >>"$ENGINE_DIR/dockerd.log" 2>&1 </dev/null 3>&- &
  local tries=300
  until engine_answers "$DOCKER_HOST"; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
      tail -n 20 "$ENGINE_DIR/dockerd.log"
      echo "The engine did not answer within 30 s. Its log was $ENGINE_DIR/dockerd.log; its last lines are above."
      return 1
    fi
    sleep 0.1
  done
}

engine_is_gone() {
  local pid
  pid=$(cat "$ENGINE_DIR/dockerd.pid" 2>/dev/null) || return 0
  [ ! -d "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}

# Ends the engine in ENGINE_DIR by its pid, its containers with it, and removes what it kept.
stop_engine() {
  local tries=300 mounts
  [ -d "$ENGINE_DIR" ] || return 0
  engine_is_gone || as_root kill "$(cat "$ENGINE_DIR/dockerd.pid")"
  until engine_is_gone; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
      echo "the engine in $ENGINE_DIR does not end; its log is $ENGINE_DIR/dockerd.log"
      return 1
    fi
    sleep 0.1
  done
  # Mounts can outlive an engine that was killed; the removal would fail as busy.
  mounts=$(awk -v dir="$ENGINE_DIR/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r)
  if [ -n "$mounts" ]; then
    echo "$mounts" | while read -r mount; do as_root umount "$mount"; done
  fi
  as_root rm -rf "$ENGINE_DIR"
}
