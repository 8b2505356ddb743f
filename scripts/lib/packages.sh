# shellcheck shell=bash
# Sourced by what installs tools, after common.sh: Debian's packages as root or through sudo, Python's in folders of their own.

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

apt_updated=
update_package_lists() {
    [[ -z $apt_updated ]] || return 0
    has apt-get || fail "needs $1, and this is not a machine with apt-get: install it and start again"
    ((EUID == 0)) || has sudo || fail "needs $1, and may not install it (not root, no sudo): install it and start again"
    retry as_root apt-get update -qq
    apt_updated=yes
}

install_packages() {
    echo "installing $*"
    update_package_lists "$*"
    retry as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# ensure_venv FOLDER: a virtual environment of its own.
ensure_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || (install_packages python3 python3-venv) || return 1
    [[ -x $1/bin/pip ]] || python3 -m venv --clear "$1"
}
