#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a command accepted is there after kill -9 of the daemon, right after
# the command has returned: drives, pool, volumes, exports, flushed data.
# shows V20, X5 (one configuration)
. "$(dirname "$0")/lib.sh"
need jq nbdcopy

start_daemon
again() {
	kill_daemon
	start_daemon
	wait_for 10 slow_runs || fail "the slow stack did not start"
}

for i in 1 2 3 4; do
	cw drive add "d$i" "file:$work/d$i.img,size=128M"
	again
	cw drive list | says -w "d$i" || fail "drive d$i is lost"
done
cw pool create tank d1 d2 d3 d4
again
cw pool list | says -w tank || fail "the pool is lost"
files 8M "$work/in"

for i in 1 2 3 4 5; do
	cw volume create "tank/v$i" --size "$((16 * i))M" --raid raid5
	again
	cw volume list | says -w "tank/v$i" || fail "volume v$i is lost"
	cw export create nbd "tank/v$i" --unix "$(socket_of "tank/v$i")"
	again
	uri=$(uri_of "tank/v$i")
	test "$(nbdinfo --size "$uri")" -eq $((i * 16 << 20))
	nbdcopy --flush "$work/in" "$uri"
	again
	nbdcopy "$uri" "$work/out"
	cmp -n $((8 << 20)) "$work/in" "$work/out" || fail "v$i lost data"
done

cw export remove "$(export_name tank/v1)"
cw volume delete tank/v1
again
! cw volume list | says -w tank/v1 || fail "v1 came back"

# An orderly stop keeps as much.
stop_daemon
start_daemon
nbdcopy "$(uri_of tank/v5)" "$work/out"
cmp -n $((8 << 20)) "$work/in" "$work/out"
stop_daemon
