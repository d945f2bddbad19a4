# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by every script that drives the finished programs: strict mode, a
# scratch directory, a daemon of its own, clean-up by process id.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=${CAUSEWAY_BUILD:-$root/build}:$PATH
export PATH
work=$(mktemp -d)
state=$work/state
daemon_pid=
others=() # process ids that end with the script
namespaces=() # of the network; the same
keep=     # set: the daemon and its files outlive the script

clean() {
	local status=$?
	trap - EXIT
	[ $status -ne 0 ] || [ -z "$keep" ] || exit 0
	[ -z "$daemon_pid" ] || end_daemon TERM
	# shellcheck disable=SC2207 # they are numbers
	others+=($(jobs -p))
	for pid in "${others[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill "$pid" 2>/dev/null || true
	done
	# OpenSM, for one, waits for its fabric for ever when that is gone.
	for _ in {1..50}; do
		kill -0 "${others[@]}" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "${others[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	for space in "${namespaces[@]}"; do
		ip netns del "$space" || true
	done
	[ $status -eq 0 ] || [ $status -eq 77 ] ||
		for log in "$work"/*.log; do
			[ ! -f "$log" ] || tail -n 50 "$log" >&2
		done
	rm -rf "$work"
	exit $status
}
trap clean EXIT
trap 'exit 1' INT TERM

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || { echo "no $tool"; exit 77; }
	done
}

# The interpreter that has Debian's libnbd.
need_python_nbd() {
	python=/usr/bin/python3
	$python -c 'import nbd' 2>/dev/null || { echo "no python3-libnbd"; exit 77; }
}

# ... | says OPTIONS PATTERN: grep -q that reads to the end, so that what is
# before it does not die of SIGPIPE.
says() {
	grep "$@" >/dev/null
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# Start the daemon on $state and wait until it says that it is up.
start_daemon() {
	mkdir -p "$state"
	: >"$work/ready"
	setsid causewayd --state "$state" --ready-fd 3 "$@" \
		3>"$work/ready" >>"$work/causewayd.log" 2>&1 &
	daemon_pid=$!
	wait_for 15 up_or_dead || fail "causewayd is not ready after 15 s"
	[ -s "$work/ready" ] || fail "causewayd did not start"
}

up_or_dead() {
	[ -s "$work/ready" ] || ! kill -0 "$daemon_pid" 2>/dev/null
}

# end_daemon SIGNAL: and wait for its end; SIGKILL after 20 s.
end_daemon() {
	local pid=$daemon_pid status=0
	daemon_pid=
	kill "-$1" "$pid" 2>/dev/null || true
	kill -CONT "$pid" 2>/dev/null || true
	wait_for 20 gone "$pid" || { kill -KILL "$pid"; status=1; }
	{ wait "$pid" || true; } 2>/dev/null
	return $status
}

gone() {
	! kill -0 "$1" 2>/dev/null || says '^State:.Z' "/proc/$1/status"
}

stop_daemon() {
	end_daemon TERM || fail "causewayd did not stop within 20 s of SIGTERM"
}

# What a power failure of the machine's software looks like.
kill_daemon() {
	end_daemon KILL
}

cw() {
	causeway --socket "$state/control.sock" "$@"
}

# status FILTER: of the daemon's status, by jq.  4 is "works, but degraded".
status() {
	{ cw --json status || [ $? -eq 4 ]; } | jq -r "$1"
}

process() { # fast|slow: its process id
	status ".processes[] | select(.role == \"$1\") | .pid"
}

slow_runs() {
	[ "$(status '.processes[] | select(.role == "slow") | .state')" = running ]
}

# slow_is_back OLDPID: another process has taken over.
slow_is_back() {
	slow_runs && [ "$(process slow)" != "$1" ]
}

# pool NAME N SIZE [ram]: a pool over N drives, sparse files unless "ram".
pool() {
	local i drives=()
	for i in $(seq "$2"); do
		if [ "${4:-file}" = ram ]; then
			cw drive add "$1$i" "ram:$3"
		else
			cw drive add "$1$i" "file:$work/$1$i.img,size=$3"
		fi
		drives+=("$1$i")
	done >/dev/null
	cw pool create "$1" "${drives[@]}" >/dev/null
}

# volume POOL/NAME SIZE PROFILE: made and exported; sets uri.
# shellcheck disable=SC2034
volume() {
	cw volume create "$1" --size "$2" --raid "$3" >/dev/null
	uri=$(uri_of "$1")
	cw export create nbd "$1" --unix "$(socket_of "$1")" >/dev/null
}

export_name() { # POOL/NAME: how this node calls its export
	cw --json export list |
		jq -r ".exports[] | select(.volume == \"$1\") | .name"
}

drive_state() {
	cw --json drive list |
		jq -r ".drives[] | select(.name == \"$1\") | .state"
}

socket_of() {
	echo "$work/${1//\//-}.sock"
}

uri_of() {
	echo "nbd+unix:///$1?socket=$(socket_of "$1")"
}

# files SIZE OUT: that many bytes of files that were not made by us.
files() {
	# head leaves early, and tar may say so.
	{ tar -C / -cf - usr/share usr/lib || true; } 2>/dev/null |
		head -c "$1" >"$2"
	[ "$(stat -c %s "$2")" -gt 1000000 ] || fail "no files to work with"
	truncate -s "$1" "$2"
}

# fio_nbd NAME URI [options]: output in $work/NAME.log.
fio_nbd() {
	local name=$1 target=$2
	shift 2
	fio --name="$name" --ioengine=nbd --uri="$target" --bs=4k \
		--verify_state_save=0 --aux-path="$work" \
		--output="$work/$name.log" "$@"
}
