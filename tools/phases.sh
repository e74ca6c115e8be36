# For tools/test and .ci/run: runs a step with its output in a log and prints one line about it.
# The caller sets $logs, the folder of the logs.

phases_failed=()

# phase <name> <command...>: "  name   ok   1.2 s"; when it fails, what went wrong, and status 1.
phase() {
  local name=$1 log start tenths status=0 result=ok
  shift
  log=$logs/${name//[^a-zA-Z0-9_.-]/_}.log
  mkdir -p "$logs"
  start=$(date +%s%N)
  if [ -t 1 ]; then
    run_with_progress "$name" "$log" "$@" || status=$?
  else
    "$@" > "$log" 2>&1 < /dev/null || status=$?
  fi
  tenths=$((($(date +%s%N) - start) / 100000000))
  [ $status = 0 ] || result=FAILED
  printf '  %-24s %-6s %6d.%d s\n' "$name" $result $((tenths / 10)) $((tenths % 10))
  [ $status = 0 ] && return 0
  phases_failed+=("$name")
  explain_failure "$log"
  return 1
}

# On a terminal: the last line of the log, as it grows.
run_with_progress() {
  local name=$1 log=$2 child line
  shift 2
  "$@" > "$log" 2>&1 < /dev/null &
  child=$!
  trap 'kill $child 2> /dev/null; printf "\n"; exit 130' INT
  while kill -0 $child 2> /dev/null; do
    line=$(tail -n 1 "$log" | tr -d '\r\033' | cut -c1-$((${COLUMNS:-80} - 30)))
    printf '\r\033[K  %-24s %s' "$name" "$line"
    sleep 0.2
  done
  trap - INT
  printf '\r\033[K'
  wait $child
}

# Errors of compilers, sanitizers and tests first, then the end of the log.
explain_failure() {
  local log=$1 shown lines=${phase_tail:-40}
  shown=$(grep -nE '(error: |^CMake Error|ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|runtime error:)' "$log" | head -n 12)
  if [ -n "$shown" ]; then
    printf '%s\n' "$shown" "" | cut -c1-240 | sed 's/^/    | /'
    lines=${phase_tail:-12}
  fi
  tail -n "$lines" "$log" | cut -c1-240 | sed 's/^/    | /'
  echo "    whole log: ${log#"$PWD"/}"
}

# ctest's closing lines out of a log.
ctest_summary() {
  sed -n '/tests passed, .* tests* failed out of/,$p' "$1"
}
