# shellcheck shell=bash
# The service, started for a script: an empty data folder, a free port, no rate limits, ended by `stop_service`.
# Needs scripts/lib/mongo.sh for `free_port` and `connects`.

service_pid=''
service_folder=''

# start_service: sets SEALGATE_URL; the mails lie in SEALGATE_OUTBOX; SEALGATE_BINARY is an operator's, on SEALGATE_DATA.
start_service() {
    cargo build --locked --bin sealgate
    local port binary deadline=$((SECONDS + 60))
    binary="${CARGO_TARGET_DIR:-$PWD/target}/debug/sealgate"
    port=$(free_port)
    service_folder=$(mktemp -d)
    export SEALGATE_URL="http://127.0.0.1:$port" SEALGATE_OUTBOX="$service_folder/data/outbox"
    export SEALGATE_BINARY="$binary" SEALGATE_DATA="$service_folder/data"
    # In a folder of its own, where no .env changes what is tested.
    (
        cd "$service_folder" &&
            exec env HTTP_ADDR="127.0.0.1:$port" PUBLIC_URL="$SEALGATE_URL" RATE_LIMITS=off DATA_DIR="$service_folder/data" \
                LOG_LEVEL=warn "$binary"
    ) >"$service_folder/log" 2>&1 &
    service_pid=$!
    until connects 127.0.0.1 "$port"; do
        if ! kill -0 "$service_pid" 2>/dev/null || ((SECONDS >= deadline)); then
            cat "$service_folder/log" >&2
            fail "the service did not start"
        fi
        sleep 0.1
    done
}

stop_service() {
    [[ -n $service_pid ]] || return 0
    kill "$service_pid" 2>/dev/null || true
    wait "$service_pid" 2>/dev/null || true
    service_pid=''
    rm -rf "$service_folder"
}
