# shellcheck shell=bash
# The servers that tests and benches run against: those that TEST_MONGO_URL and TEST_REDIS_URL name, else their own.

# shellcheck source=scripts/lib/mongo.sh
source scripts/lib/mongo.sh

mongo_pid='' redis_pid=''

# Nobody goes without their server: where none can be had, the run fails here.
start_mongo() {
    if [[ -n ${TEST_MONGO_URL:-} ]]; then
        echo "using the server that TEST_MONGO_URL names"
        if [[ $TEST_MONGO_URL =~ ^mongodb://([^@/]*@)?([^]:/?,[]+)(:([0-9]+))? ]]; then
            connects "${BASH_REMATCH[2]}" "${BASH_REMATCH[4]:-27017}" ||
                fail "TEST_MONGO_URL names a server that does not answer"
        fi
        return
    fi
    local port log=target/mongo-test-server.log
    port=$(free_port)
    scripts/mongo-test-server "$port" >"$log" 2>&1 &
    mongo_pid=$!
    wait_for_mongo "$port" "$mongo_pid" || { cat "$log" >&2 && fail "no MongoDB server to test against"; }
    export TEST_MONGO_URL="mongodb://127.0.0.1:$port"
    echo "serving $TEST_MONGO_URL"
}

start_redis() {
    if [[ -n ${TEST_REDIS_URL:-} ]]; then
        echo "using the server that TEST_REDIS_URL names"
        return
    fi
    local port deadline=$((SECONDS + 30))
    port=$(free_port)
    scripts/redis-test-server "$port" >target/redis-test-server.log 2>&1 &
    redis_pid=$!
    until connects 127.0.0.1 "$port"; do
        if ((SECONDS >= deadline)) || ! kill -0 "$redis_pid" 2>/dev/null; then
            cat target/redis-test-server.log >&2 && fail "no Redis server to test against"
        fi
        sleep 0.1
    done
    TEST_REDIS_URL=$(head -n 1 target/redis-test-server.log)
    export TEST_REDIS_URL
    echo "serving Redis on port $port"
}

# Ends those that were started here.
stop_servers() {
    local pid
    for pid in $mongo_pid $redis_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
