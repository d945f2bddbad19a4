# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by every script that needs a simulated InfiniBand subnet: ibsim with
# a socket of its own, and clients under its preload.
#
# What to know about ibsim: it has room for 10 clients, and one that was killed
# keeps its place (and its IsSM) until a packet to it bounces; a client that
# finds no ibsim waits for ever, so each has a time limit here; a client is on
# port 1 of its node; requests that nobody asked for reach clients with IsSM
# only.  Clients leave a folder sys-PID behind when they are killed, so they
# run in $work.
# shellcheck source=tests/interop/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sim_seconds=${SIM_SECONDS:-60} # time limit of a client
ibsim_pid=
ibsim_console=

need_ibsim() {
	need ibsim ibsim-run ibnetdiscover smpquery
	sim_preload=$(sed -n 's/^sim_so=//p' "$(command -v ibsim-run)")
	[ -f "$sim_preload" ] || { echo "no $sim_preload"; exit 77; }
}

# start_ibsim NET [ibsim's options]: and wait until it listens.
start_ibsim() {
	local net=$1
	shift
	export IBSIM_SOCKNAME=causeway-$$-$RANDOM
	mkfifo "$work/console.$IBSIM_SOCKNAME"
	exec {ibsim_console}<>"$work/console.$IBSIM_SOCKNAME"
	(cd "$work" && exec ibsim -s -f "$work/ibsim.out" "$@" "$net") \
		<&"$ibsim_console" >>"$work/ibsim.log" 2>&1 &
	ibsim_pid=$!
	others+=("$ibsim_pid")
	wait_for 30 grep -q "@$IBSIM_SOCKNAME:ctl" /proc/net/unix ||
		fail "ibsim does not listen after 30 s"
}

stop_ibsim() {
	kill "$ibsim_pid" 2>/dev/null || true
	wait "$ibsim_pid" 2>/dev/null || true
	exec {ibsim_console}>&-
}

# ibsim_tell COMMAND: a line for its console, such as 'Unlink "H1"[1]'.
ibsim_tell() {
	echo "$1" >&"$ibsim_console"
}

# sim NODE COMMAND...: a client on that node.
sim() {
	local node=$1
	shift
	(cd "$work" && exec timeout -k 2 "$sim_seconds" \
		env SIM_HOST="$node" LD_PRELOAD="$sim_preload" "$@")
}

# sim_start NODE LOG COMMAND...: one that goes on; sets sim_pid.
# shellcheck disable=SC2034
sim_start() {
	local node=$1 log=$2
	shift 2
	(cd "$work" && exec env SIM_HOST="$node" LD_PRELOAD="$sim_preload" \
		"$@") >"$log" 2>&1 &
	sim_pid=$!
	others+=("$sim_pid")
}

# One sweep of OpenSM on that node: LIDs, routes, ports active.
sim_sweep() {
	need opensm
	mkdir -p "$work/opensm"
	OSM_CACHE_DIR=$work/opensm OSM_TMP_DIR=$work/opensm \
		sim "$1" opensm -o -d2 -f "$work/opensm.log" -D 0x03 \
		>"$work/opensm-out.log" 2>&1 || fail "opensm on $1"
}
