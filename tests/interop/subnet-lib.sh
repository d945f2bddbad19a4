# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after lib.sh and one of fabric-lib.sh and ib-lib.sh: daemons whose
# subnet managers sit on ports of a simulated fabric.
preload=$(sed -n 's/^sim_so=//p' "$(command -v ibsim-run)")
[ -f "$preload" ] || { echo "no $preload"; exit 77; }

# manager NAME PORT [options of causewayd]: a daemon there; its id is in
# manager_pid[NAME].
declare -A manager_pid=()
manager() {
	local name=$1 port=$2
	shift 2
	mkdir -p "$work/$name"
	: >"$work/$name.ready"
	(cd "$work" && SIM_HOST=$port LD_PRELOAD=$preload exec causewayd \
		--state "$work/$name" --ready-fd 3 "$@") \
		3>"$work/$name.ready" >>"$work/$name.log" 2>&1 &
	manager_pid[$name]=$!
	others+=($!)
	wait_for 15 test -s "$work/$name.ready" || fail "$name is not ready"
}

# on NAME COMMAND...: of that daemon.
on() {
	local name=$1
	shift
	causeway --socket "$work/$name/control.sock" "$@"
}

# sm NAME FILTER: of its subnet manager's status.
sm() {
	on "$1" --json subnet status | jq -r "$2"
}

is_settled() { # NAME
	[ "$(sm "$1" .settled)" = true ]
}

is_in() { # NAME STATE
	[ "$(sm "$1" .state)" = "$2" ]
}

settle() { # NAME
	wait_for 30 is_settled "$1" || fail "$1 does not settle"
}

# has_links NAME N: it knows of so many links, and nothing is left to do.
has_links() {
	[ "$(sm "$1" ".links == $2 and .settled")" = true ]
}
