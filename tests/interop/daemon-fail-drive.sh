#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A drive fails under load: clients of raid1 and raid5 see nothing of it and
# all data are the same, then and after a restart; the operator is told.
# shows V6, V12, V25 (degraded reads and writes)
. "$(dirname "$0")/lib.sh"
need fio jq nbdcopy

start_daemon
pool tank 4 256M
files 32M "$work/in"
for profile in raid1 raid5; do
	volume "tank/$profile" 128M $profile
	nbdcopy "$work/in" "$uri"
	volume "tank/load-$profile" 64M $profile
	fio_nbd "load-$profile" "$uri" --rw=randrw --size=48M --iodepth=8 \
		--rate=16m --verify=crc32c --verify_fatal=1 &
	others+=("$!")
done
sleep 1
cw drive fail tank2 >/dev/null
for pid in "${others[@]}"; do
	wait "$pid" || fail "fio saw the drive fail"
done

same() {
	for profile in raid1 raid5; do
		nbdcopy "$(uri_of "tank/$profile")" "$work/out"
		cmp -n $((32 << 20)) "$work/in" "$work/out" ||
			fail "$profile: data differ $1"
	done
}
same "with a drive failed"

# `status` says so: exit code 4 is "works, but degraded".
code=0
cw status >"$work/status" || code=$?
[ $code -eq 4 ] || fail "status exits $code: $(cat "$work/status")"
[ "$(drive_state tank2)" = failed ] || fail "$(cw drive list)"

kill_daemon
start_daemon
wait_for 10 slow_runs
same "after a restart"
stop_daemon
