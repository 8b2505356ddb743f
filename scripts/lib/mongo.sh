# shellcheck shell=bash
# What `scripts/test` and `scripts/mongo-test-server` share about MongoDB's protocol server.

mongo_support=tests/support/mongo
mongo_jars=target/mongo-java-server

# The fetched jars are those that the pom names; its copy beside them is written last.
mongo_jars_are_current() { cmp -s "$mongo_support/pom.xml" "$mongo_jars/pom.xml"; }

fetch_mongo_jars() {
    ! mongo_jars_are_current || return 0
    rm -rf "$mongo_jars"
    retry mvn -q -B -f "$mongo_support/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/$mongo_jars/lib" >target/maven.log || { cat target/maven.log >&2 && return 1; }
    cp "$mongo_support/pom.xml" "$mongo_jars/pom.xml"
}

# A JDK of version 17 or newer: starting a program from its source needs the compiler.
has_jdk() { [[ $(java --list-modules 2>/dev/null) =~ jdk\.compiler@(1[7-9]|[2-9][0-9]) ]]; }

# connects HOST PORT: somebody listens there.
# shellcheck disable=SC2016  # the inner shell expands them
connects() { timeout 5 bash -c ': <>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

# Below the range from which the system hands out ports by itself.
free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        connects 127.0.0.1 "$port" || { echo "$port" && return; }
    done
    fail "found no free port"
}

# mongo_answers PORT: sends { ping: 1, $db: "admin" } as one OP_MSG and waits for a reply's header.
mongo_answers() {
    local header='\x33\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0' flags_and_kind='\0\0\0\0\0'
    local body='\x1e\0\0\0\x10ping\0\x01\0\0\0\x02\x24db\0\x06\0\0\0admin\0\0'
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf '%b' "$header$flags_and_kind$body" >&3 &&
            (($(timeout 5 head -c 16 <&3 | wc -c) == 16))
    ) 2>/dev/null
}

# wait_for_mongo PORT PID: until the server answers; false when the process has ended or two minutes have passed.
wait_for_mongo() {
    local deadline=$((SECONDS + 120))
    until mongo_answers "$1"; do
        kill -0 "$2" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}
