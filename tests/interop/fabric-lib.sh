# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by the scripts about the software fabric, after lib.sh: a fabric of
# their own, and programs on it by ibsim's preload.
: "${work:?is set by lib.sh}"
export IBSIM_SOCKNAME=cw$$ OSM_CACHE_DIR=$work OSM_TMP_DIR=$work
cd "$work" || exit 1 # where the preload makes its files
need ibsim-run opensm ibnetdiscover ibping
fabric_pid=

# start_fabric ARGS...: and wait until it serves.
start_fabric() {
	: >"$work/ready"
	causeway-fabric --name "$IBSIM_SOCKNAME" --control "$work/control" \
		--ready-fd 3 "$@" 3>"$work/ready" </dev/null \
		>>"$work/fabric.log" 2>&1 &
	fabric_pid=$!
	others+=("$fabric_pid")
	wait_for 20 test -s "$work/ready" || fail "the fabric is not ready"
}

stop_fabric() {
	kill "$fabric_pid"
	wait "$fabric_pid" || fail "causeway-fabric ended with $?"
	others=("${others[@]/$fabric_pid/}")
}

# fabric COMMAND: of its console.
fabric() {
	python3 - "$work/control" "$*" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "fabric.console",
                      "params": {"line": sys.argv[2]}}).encode() + b"\n")
data = b""
while True:
    data += s.recv(1 << 20)
    try:
        answer = json.loads(data)
        break
    except ValueError:
        pass
if "error" in answer:
    sys.exit(answer["error"]["message"])
print(answer["result"]["output"], end="")
PY
}

counter() { # NAME: of the console's stats
	fabric stats | sed -n "s/^$1 //p"
}

# at PORT PROGRAM...: run there.  The preload has no time limits of its own, so
# now and then a tool waits for ever; it is started again.
at() {
	local port=$1 code
	shift
	for _ in 1 2 3; do
		code=0
		SIM_HOST=$port timeout 20 ibsim-run "$@" || code=$?
		[ $code = 124 ] || break
	done
	return $code
}

# start_at PORT PROGRAM...: in the background, ended with the script.
start_at() {
	local port=$1
	shift
	SIM_HOST=$port ibsim-run "$@" >>"$work/$(basename "$1").log" 2>&1 &
	started=$!
	others+=("$started")
}

# start_opensm PORT [options]: and wait until the subnet is up.
start_opensm() {
	local port=$1
	shift
	start_at "$port" opensm -d2 -f "$work/osm.log" -D 0x03 "$@"
	wait_for 60 subnet_is_up 1 || fail "OpenSM did not bring the subnet up"
}

subnet_is_up() { # TIMES
	[ "$(grep -c 'SUBNET UP' "$work/osm.log")" -ge "$1" ]
}

no_errors_of_opensm() {
	! grep 'ERR' "$work/osm.log" || fail "OpenSM found fault"
}

lid_of() { # PORT
	at "$1" ibstat | sed -n 's/.*Base lid: //p'
}
