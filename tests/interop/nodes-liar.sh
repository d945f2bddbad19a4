#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A donor whose memory changes under it, or goes back to what it was, is found
# by the first page that comes from there, and the other copy serves: no value
# is wrong.  With one copy the program ends and it is said why.
# shows S15, S21
. "$(dirname "$0")/lib-hammer.sh"

memory() { # NODE: what its window lies in
	echo "$work/$1.memory"
}

two_donors 96M memory

# Other bytes than it got.
begin_far gamma --donor beta/far,gamma/far
dd if=/dev/urandom of="$(memory gamma)" bs=1M count=96 conv=notrunc status=none
said 'donor gamma/far fails (other bytes come back than it got): what it had comes from the other'
finish
! says 'beta' <"$work/run.log" || fail "beta is blamed: $(cat "$work/run.log")"

# What it had got some time ago.
begin_far beta --donor beta/far,gamma/far
cp "$(memory beta)" "$work/old"
sleep 1
dd if="$work/old" of="$(memory beta)" bs=1M conv=notrunc status=none
said 'donor beta/far fails (other bytes'
finish
! says 'gamma' <"$work/run.log" || fail "gamma is blamed: $(cat "$work/run.log")"

# Nobody else has it.
begin_far beta --donor beta/far --copies 1
dd if=/dev/urandom of="$(memory beta)" bs=1M count=96 conv=notrunc status=none
said 'had to be killed: a page came back changed'
code=0
wait $program || code=$?
[ $code = 137 ] || fail "exit code $code"
