# For tools/test and .ci/run: runs a step with its output in a log and prints one line about it.
# The caller sets $logs, the folder of the logs.

phases_failed=()

# phase <name> <command...>: "  name   ok   1.2 s"; when it fails, what went wrong, and status 1.
phase() {
  local name=$1 log start tenths status=0 result=ok
  shift
  log=$(log_of "$name")
  mkdir -p "$logs"
  start=$(date +%s%N)
  if [ -t 1 ] && [ -z "${beside_name:-}" ]; then
    run_with_progress "$name" "$log" "$@" || status=$?
  else
    "$@" > "$log" 2>&1 < /dev/null || status=$?
  fi
  tenths=$((($(date +%s%N) - start) / 100000000))
  [ $status = 0 ] || result=FAILED
  printf '%s  %-24s %-6s %6d.%d s%s\n' "${beside_name:+$clear_line}" "$name" $result $((tenths / 10)) $((tenths % 10)) "${beside_name:+  beside}"
  [ $status = 0 ] && return 0
  phases_failed+=("$name")
  explain_failure "$log"
  return 1
}

clear_line=
[ ! -t 1 ] || clear_line=$'\r\033[K'

# beside <function>: runs its phases beside those that follow, which have the processors first. "done_beside <name>" in it tells
# that what came before has succeeded.
beside() {
  mkdir -p "$logs"
  rm -rf "$logs/beside"
  mkdir "$logs/beside"
  set -m
  (
    beside_name=$1
    renice -n 10 $BASHPID > /dev/null
    "$1"
    printf '%s\n' "${phases_failed[@]}" > "$logs/beside/failed"
  ) &
  beside_process=$!
  set +m
  trap 'kill -- -$beside_process 2> /dev/null' EXIT
}

done_beside() {
  touch "$logs/beside/$1.done"
}

# await <name>: waits until what runs beside has come that far; status 1 when it ends without.
await() {
  while kill -0 "$beside_process" 2> /dev/null && [ ! -e "$logs/beside/$1.done" ]; do
    sleep 1
  done
  [ -e "$logs/beside/$1.done" ]
}

# Waits for all that runs beside, and adds its failures to the others.
join_beside() {
  local name
  wait "$beside_process"
  trap - EXIT
  if [ ! -e "$logs/beside/failed" ]; then
    phases_failed+=("what ran beside")
    return 1
  fi
  while IFS= read -r name; do
    [ -z "$name" ] || phases_failed+=("$name")
  done < "$logs/beside/failed"
}

# log_of <name>: where the output of that phase is.
log_of() {
  echo "$logs/${1//[^a-zA-Z0-9_.-]/_}.log"
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

# What went wrong, a line each: errors of compilers, sanitizers and tests, and the tests that ctest calls failed.
errors_in() {
  grep -nE '(error: |^CMake Error|ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|runtime error:|\*\*\*(Failed|Timeout|Exception|Not Run))' "$1" |
    head -n 12 | cut -c1-240
}

# The errors first, then the end of the log; of ctest's, what it says last.
explain_failure() {
  local log=$1 shown
  shown=$(errors_in "$log")
  if [ -n "$shown" ]; then
    printf '%s\n' "$shown" "" | sed 's/^/    | /'
  fi
  if grep -q 'tests passed, .* tests* failed out of' "$log"; then
    ctest_failures "$log"
    ctest_summary "$log"
  elif [ -n "$shown" ]; then
    tail -n 12 "$log"
  else
    tail -n 40 "$log"
  fi | cut -c1-240 | sed 's/^/    | /'
  echo "    whole log: ${log#"$PWD"/}"
}

# The failed phases, each with its errors: the last thing that a long run prints.
list_failures() {
  local name
  for name in "${phases_failed[@]}"; do
    echo "failed: $name"
    errors_in "$(log_of "$name")" 2> /dev/null | sed 's/^/    | /'
  done
}

# ctest prints the output of a failed test between its line and the next test's. The last 40 lines of each.
ctest_failures() {
  awk '
    function flush(  i) { for (i = lines > 40 ? lines - 40 : 0; i < lines; ++i) print kept[i]; lines = 0 }
    / Start +[0-9]+: / || /^ *[0-9]+\/[0-9]+ +Test +#/ { flush(); failed = /\*\*\*/ }
    / tests* failed out of / { flush(); failed = 0 }
    failed && !/ Start +[0-9]+: / { kept[lines++] = $0 }
    END { flush() }' "$1"
}

# ctest's closing lines out of a log.
ctest_summary() {
  sed -n '/tests passed, .* tests* failed out of/,$p' "$1"
}
