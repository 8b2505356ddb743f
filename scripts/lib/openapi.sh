# shellcheck shell=bash
# The tools that look at the document and make clients of it, pinned in openapi/tools and installed into target/tools.

openapi_pins=openapi/tools
node_tools=target/tools/openapi-node
python_tools=target/tools/openapi-venv
node_bin=$PWD/target/tools/node/bin # ours, where the machine's is too old
export PATH="$node_bin:$PATH"

# Each is copied beside what was installed from it, last.
node_tools_are_current() { cmp -s "$openapi_pins/package-lock.json" "$node_tools/installed.json"; }
python_tools_are_current() { cmp -s "$openapi_pins/requirements.txt" "$python_tools/installed.txt"; }
openapi_tools_are_current() { has_node && node_tools_are_current && python_tools_are_current; }

# Node as the tools need it: 20.19 and newer.
has_node() {
    [[ $(node --version 2>/dev/null) =~ ^v([0-9]+)\.([0-9]+) ]] || return 1
    local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    ((major > 20 || (major == 20 && minor >= 19)))
}

node_tool() { "$node_tools/node_modules/.bin/$1" "${@:2}"; }
python_tool() { "$openapi_root/$python_tools/bin/$1" "${@:2}"; }
openapi_root=$PWD

# Redocly's recommended rules; openapi/redocly.yaml says why one is off.
lint_openapi() {
    REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_tool redocly lint --config openapi/redocly.yaml openapi/openapi.json
}
