# How the scripts talk: one line per step with the time it took, on stderr. What a step printed is shown when it failed.
# Sourced. fd 3 is the person's terminal: while a step runs, stdout and stderr are the step's log.

STEP_LOG=$(mktemp "${TMPDIR:-/tmp}/orchestrad-step.XXXXXX")
CURRENT_STEP=
AT_EXIT=()
exec 3>&2

at_exit() { AT_EXIT=("$1" ${AT_EXIT[@]+"${AT_EXIT[@]}"}); } # names of functions; last asked, first done

finish() {
  local status=$? name
  trap - EXIT
  trap '' INT TERM # what is being undone is undone whole
  if [ "$status" != 0 ] && [ -n "$CURRENT_STEP" ]; then
    line failed "$CURRENT_STEP"
    cat "$STEP_LOG" >&3
  fi
  for name in ${AT_EXIT[@]+"${AT_EXIT[@]}"}; do "$name" >&3 2>&3 || true; done
  rm -f "$STEP_LOG"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

now_ms() { echo $(($(date +%s%N) / 1000000)); }

line() { # line STATE NAME: with the time since the step began
  local ms=$(($(now_ms) - STEP_BEGAN))
  printf '%7s.%s s  %-6s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$1" "$2" >&3
}

note() { printf '%21s%s\n' '' "$*" >&3; }

# For a mistake of the caller's, or a machine that lacks something: what happened, and what to do.
give_up() {
  CURRENT_STEP=
  printf '%s: %s\n' "$0" "$*" >&3
  exit 1
}

# step NAME COMMAND...: in this shell, so that what the command sets stays set; its failure ends the script. It must not
# become the condition of an `if`: `set -e` is off inside one.
step() {
  CURRENT_STEP=$1 STEP_BEGAN=$(now_ms)
  shift
  "$@" >"$STEP_LOG" 2>&1
  line ok "$CURRENT_STEP"
  CURRENT_STEP=
}

# show NAME COMMAND...: the same for a command that a person wants to watch.
show() {
  CURRENT_STEP=$1 STEP_BEGAN=$(now_ms)
  shift
  : >"$STEP_LOG"
  "$@"
  line ok "$CURRENT_STEP"
  CURRENT_STEP=
}
