#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The slow stack is killed again and again while clients write to new and to
# old addresses: no client sees an error, nothing is lost, and a new slow
# process takes over each time.
# shows V3, V4, V21
. "$(dirname "$0")/lib.sh"
need fio jq nbdcopy

start_daemon
pool tank 4 512M
volume tank/old 64M raid5
fio_nbd fill "$uri" --rw=write --bs=128k --size=64M --iodepth=4
volume tank/new 512M raid5
fresh=$uri

# Only the fast stack has the drives open; the slow one none, nor mapped.
no_drive() {
	local open
	open=$(readlink "/proc/$1"/fd/* || true)
	[ "$(grep -c "$work/tank" <<<"$open")" = "$2" ] ||
		fail "process $1 has these open: $open"
}
no_drive "$(process fast)" 4
no_drive "$(process slow)" 0
! grep -q "$work/tank" "/proc/$(process slow)/maps" ||
	fail "the slow stack maps a drive"

fio_nbd old "$(uri_of tank/old)" --rw=randrw --size=64M --iodepth=4 \
	--io_size=160M --rate=24m --verify=crc32c --verify_fatal=1 &
a=$!
fio_nbd new "$fresh" --rw=randwrite --bs=64k --size=400M --iodepth=8 \
	--rate=80m --verify=crc32c --verify_fatal=1 &
b=$!
others+=("$a" "$b")
kills=0
while ! gone "$b" && [ $kills -lt 10 ]; do
	slow=$(process slow)
	kill -KILL "$slow"
	kills=$((kills + 1))
	wait_for 10 slow_is_back "$slow" || fail "no new slow stack"
	no_drive "$(process slow)" 0
	sleep 0.2
done
wait "$b" || fail "fio on new addresses"
wait "$a" || fail "fio on old addresses"
[ $kills -ge 3 ] || fail "only $kills kills: fio was done too early"

# And the daemon still knows it all after a restart.
nbdcopy "$fresh" - | sha256sum >"$work/before"
kill_daemon
start_daemon
wait_for 10 slow_runs
nbdcopy "$fresh" - | sha256sum | cmp - "$work/before"
stop_daemon
echo "$kills kills"
