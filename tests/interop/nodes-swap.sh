#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The kernel swaps to memory of two other nodes, for programs with a limit:
# the process that serves it is killed again and again, then a donor is, and
# every word is right; what cannot be brought back is not.
# shows S16 (the host's kernel), S18, S21, S22
. "$(dirname "$0")/lib-swap.sh"
need curl

two_donors 176M
donors=beta/far,gamma/far

on alpha swap status 2>/dev/null && fail "a device before there is one"
on alpha run --local 16M --via swap -- true 2>/dev/null && fail "no device"
on alpha swap on --size 1G --donor $donors 2>"$work/said" && fail "too large"
grep -q 'does not fit' "$work/said" || fail "$(cat "$work/said")"
swap_on --size 160M --donor $donors
on alpha swap on --size 1M --donor $donors 2>/dev/null && fail "a second one"

# swap FILTER: of its status, by jq.
swap() {
	{ on alpha --json swap status || [ $? -eq 4 ]; } | jq -r "$1"
}
# metric NAME: of alpha's, about the device.
metric() {
	curl -sSf --unix-socket "$work/alpha.metrics" http://localhost/metrics |
		sed -n "s,^causeway_swap_$1{device=\"$device\"} ,,p"
}
# finds WORDS: alpha's doctor.
finds() {
	{ on alpha doctor || true; } | says "$@"
}
worker_is_not() {
	[ "$(swap .worker)" != "$1" ] && [ "$(swap .worker)" != 0 ]
}
kill_worker() {
	local pid
	pid=$(swap .worker)
	kill -KILL "$pid"
	wait_for 10 worker_is_not "$pid" || fail "no new worker"
}

spare_is_ready() {
	[ "$(swap .spare)" != 0 ]
}

[ "$(metric size_bytes)" = $(((160 << 20) - 4096)) ] ||
	fail "size: $(metric size_bytes)"
[ "$(metric served)" = 1 ] || fail "not served"
finds 'start causewayd with --realtime' || fail "$(on alpha doctor)"

# What version 1 of cgroups would kill, swap or no swap.
seq 1 400000 | shuf --random-source=<(yes) >"$work/numbers"
sort -n "$work/numbers" >"$work/sorted"
on alpha run --local 20M --via swap -- sort -n --parallel=2 -S 100M \
	"$work/numbers" >"$work/far-sorted" || fail "sort"
cmp "$work/sorted" "$work/far-sorted" || fail "sort"
for name in beta gamma; do
	has_written alpha $name $((4 << 20)) || fail "$name was not used"
done

on alpha run --local 32M --via swap -- "$tests/mem_check" 72 5 2 &
program=$!
sleep 1
wait_for 10 spare_is_ready || fail "no spare"
spare=$(swap .spare)
kill_worker
[ "$(swap .worker)" = "$spare" ] || fail "the spare does not serve"
for _ in 1 2; do # perhaps before another one is ready
	sleep 0.3
	kill_worker
done
end_node gamma KILL
sleep 0.5
kill_worker # the next one finds one donor dead
wait $program || fail "mem_check: $?"
code=0
on alpha swap status || code=$?
[ $code = 4 ] || fail "status exits $code, not 4"
[ "$(swap '.donors[1].state')" = lost ] || fail "gamma is not lost"
[ "$(swap .workers)" = 5 ] || fail "$(swap .workers) workers"
[ "$(swap '.bad_seals + .read.errors')" = 0 ] || fail "errors"

# A program that loads no agent goes this way by itself.
cp "$tests/mem_check" "$work/setuid"
chmod u+s "$work/setuid"
on alpha run --local 32M --donor beta/far --copies 1 -- "$work/setuid" 48 1 \
	2>"$work/said" || fail "setuid"
grep -q 'setuid' "$work/said" || fail "$(cat "$work/said")"

# A keeper that is there and says nothing is not none.
keeper=$(swap .keeper)
kill -STOP "$keeper"
on alpha swap off 2>"$work/said" && fail "off, by a keeper that is stopped"
kill -CONT "$keeper"
grep -q 'does not answer' "$work/said" || fail "$(cat "$work/said")"
on alpha swap off
finds swap && fail "$(on alpha doctor)"
gone "$keeper" || fail "the keeper is still there"
says "$device" /proc/swaps && fail "$device is still on"
[ ! -e "/sys/block/${device#/dev/}/loop" ] || fail "$device is still set up"

# One copy, and nobody who has it: reads fail, and off with it all the same.
on alpha swap on --size 64M --donor beta/far --copies 1
on alpha run --local 16M --via swap -- "$tests/mem_check" 40 60 &
program=$!
sleep 1
end_node beta KILL
code=0
wait $program || code=$?
[ $code = 135 ] || fail "exit code $code"

# What nobody serves is nothing to run on, and goes.
not_served() {
	[ "$(swap .keeper)" = null ]
}
kill -KILL "$(swap .keeper)"
wait_for 10 not_served || fail "killed, it serves"
[ "$(metric served)" = 0 ] || fail "served by nobody, it says otherwise"
finds 'nobody serves the swap device' || fail "$(on alpha doctor)"
on alpha run --local 16M --via swap -- true 2>"$work/said" &&
	fail "it ran on what nobody serves"
grep -q 'on and served' "$work/said" || fail "$(cat "$work/said")"
on alpha swap off || fail "what nobody serves stays on"
