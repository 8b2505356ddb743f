# shellcheck shell=bash
# Steps with a header and a clock, and the summary that ends a run whatever way it went.

steps_done=()   # one line of the summary each
step_name=      # the step that is running
step_note=      # what the running step wants said in the summary

# step NAME COMMAND [ARGUMENT...]: the first step that fails ends the run.
step() {
    step_name=$1 step_note=
    local start=$SECONDS
    printf '\n== %s\n' "$step_name"
    shift
    "$@"
    local line
    printf -v line '%-22s %4d s%s' "$step_name" $((SECONDS - start)) "${step_note:+  ($step_note)}"
    steps_done+=("$line")
    printf '== %s: %d s\n' "$step_name" $((SECONDS - start))
    step_name=
}

# print_summary STATUS RUNNER_LOG: the steps, then the test runner's closing lines once more, so that they stand last.
print_summary() {
    printf '\n== summary\n'
    ((${#steps_done[@]} == 0)) || printf '%s\n' "${steps_done[@]}"
    [[ -z $step_name ]] || printf '%-22s FAILED\n' "$step_name"
    printf '%-22s %4d s  %s\n' total "$SECONDS" "$( (($1 == 0)) && echo passed || echo failed)"
    [[ ! -s $2 ]] || closing_lines "$2"
}

# nextest closes on one summary (and the list of what failed); cargo test on a line per binary, which are added up.
closing_lines() {
    if grep -q 'Summary .*tests\{0,1\} run' "$1"; then
        sed -n '/Summary .*tests\{0,1\} run/,$p' "$1"
    elif grep -q '^test result:' "$1"; then
        awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
             END { printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$1"
    fi
}
