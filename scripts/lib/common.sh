# shellcheck shell=bash
# Sourced by every script: stands in the project's root, finds its private tools, and a few words they all use.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
export PATH="$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin:$PWD/target/tools/bin"
mkdir -p target

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# `cargo NAME` exists and starts.
has_cargo() { cargo "$1" --version >/dev/null 2>&1; }

# A registry that does not answer once often does a moment later.
retry() {
    "$@" || { sleep 3 && "$@"; }
}
