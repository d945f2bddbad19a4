#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A pool on another node's files: both daemons are killed in the middle of
# writes, the one with the volume is started first and waits for the other;
# what was flushed is there.
# shows V29, V20
. "$(dirname "$0")/lib-hosts.sh"
need nbdcopy fio

hosts alpha beta
node alpha
node beta
on alpha node add beta "$(addresses beta)"
for i in 1 2 3; do
	on beta window create "disk$i" --size 64M --file "$work/beta$i.img" \
		--allow alpha:rw
	on alpha drive add "far$i" "remote:beta/disk$i"
done
state=$work/alpha
cw pool create far far1 far2 far3
volume far/home 96M raid5
head -c 24M /dev/urandom >"$work/in"

for cycle in 1 2 3; do
	nbdcopy --flush "$work/in" "$uri"
	# More writes, behind what was flushed, until the end.
	fio_nbd "more$cycle" "$uri" --rw=randwrite --offset=32M --size=32M \
		--time_based --runtime=20 --iodepth=8 >/dev/null 2>&1 &
	more=$!
	sleep 0.5
	end_node beta KILL
	end_node alpha KILL
	{ wait $more || true; } 2>/dev/null
	launch alpha
	sleep 2
	node beta
	ready alpha
	[ "$(cw --json pool show far | jq -r .state)" = online ] ||
		fail "cycle $cycle: $(cw drive list)"
	nbdcopy "$uri" "$work/out"
	cmp -n 24M "$work/in" "$work/out" || fail "cycle $cycle: other bytes"
	head -c 24M /dev/urandom >"$work/in"
done
