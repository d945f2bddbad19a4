# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A program on the host alpha that checks each value that it reads until it is
# told to end.
. "$(dirname "${BASH_SOURCE[0]}")/lib-hosts.sh"
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests
stall_ms=8000 # of a check; under 1000 on a machine that does nothing else

# begin WORDS...: a program on alpha that runs until it is told to end, its
# words in run.log and its result in result.
begin() {
	: >"$work/run.log"
	: >"$work/result"
	rm -f "$work/end"
	causeway --socket "$work/alpha/control.sock" run --local 28M --far 64M "$@" -- \
		"$tests/far_hammer" until "$work/end" \
		>"$work/result" 2>>"$work/run.log" &
	program=$!
	wait_for 20 said_or_dead 'checks begin' "$work/result" ||
		fail "nothing begins"
}

# begin_far NODE WORDS...: and much has left for there.
begin_far() {
	local node=$1 written
	written=$(on alpha --json node show "$node" | jq .bytes_written)
	shift
	begin "$@"
	wait_for 20 has_written alpha "$node" $((written + (16 << 20))) ||
		fail "nothing leaves"
}

# finish: its values were right, and no check took too long.
finish() {
	local longest
	touch "$work/end"
	wait "$program" || fail "wrong, or killed: $(cat "$work/run.log")"
	longest=$(awk '$1 == "longest" { print $2 }' "$work/result")
	[ "$longest" -lt $stall_ms ] || fail "a check took $longest ms"
}

said_or_dead() { # PATTERN FILE
	says "$1" <"$2" || ! kill -0 "$program" 2>/dev/null
}

# said PATTERN: by `causeway run`, within 20 s.
said() {
	wait_for 20 said_or_dead "$1" "$work/run.log" || true
	says "$1" <"$work/run.log" || fail "not said: $1; $(cat "$work/run.log")"
}

lent() { # NODE BYTES
	[ "$(on "$1" --json donor list | jq .lent)" = "$2" ]
}
