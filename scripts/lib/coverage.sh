# shellcheck shell=bash
# The measured test run, and the gate on what it covered.

readonly coverage_folders=(src/domain src/crypto src/service)
readonly coverage_aim=90
readonly coverage_data=target/coverage

# llvm-cov and llvm-profdata of the compiler's own LLVM: the toolchain's component.
llvm_tool() {
    local tool
    tool=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/$1
    [[ -x $tool ]] || return 1
    printf '%s' "$tool"
}

# measured COMMAND...: runs it so that the workspace's crates count their lines. A process writes what it counted when it
# ends; those that run the same program share eight files.
measured() {
    rm -rf "$coverage_data"
    RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/lib/instrumented-rustc \
        LLVM_PROFILE_FILE=$PWD/$coverage_data/%8m.profraw "$@"
}

test_binaries() {
    RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/lib/instrumented-rustc \
        cargo test --workspace --locked --no-run --message-format json 2>/dev/null |
        grep -o '"executable":"[^"]*"' | cut -d '"' -f 4
}

# Lines of the gated folders, by the measured run; a page for each file stays in target/coverage/html.
check_coverage() {
    local cov profdata objects=() binary files
    { cov=$(llvm_tool llvm-cov) && profdata=$(llvm_tool llvm-profdata); } ||
        fail "needs the toolchain's llvm-tools: rustup component add llvm-tools"
    while read -r binary; do objects+=(-object "$binary"); done < <(test_binaries)
    ((${#objects[@]} > 0)) || fail "no test binary was found, so that nothing was measured"
    "$profdata" merge -sparse -failure-mode=all -o "$coverage_data/all.profdata" "$coverage_data"/*.profraw
    "$cov" export --summary-only -format=text -instr-profile "$coverage_data/all.profdata" "${objects[@]}" \
        >"$coverage_data/summary.json"
    mapfile -t files < <(find "${coverage_folders[@]/#/$PWD/}" -name '*.rs')
    "$cov" show -format=html -output-dir "$coverage_data/html" -instr-profile "$coverage_data/all.profdata" \
        "${objects[@]}" -sources "${files[@]}" >/dev/null
    python3 scripts/lib/coverage.py "$coverage_data/summary.json" "$coverage_aim" "${coverage_folders[@]}"
}
