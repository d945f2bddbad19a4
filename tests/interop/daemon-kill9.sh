#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The whole daemon is killed with -9 under load, CYCLES times: after each
# start every block that a flush covered is there, no block is torn, none is
# another's, and the drive space of the pool adds up.  `tools/dev test kill9`
# does 200 cycles.
# shows V20
. "$(dirname "$0")/lib.sh"
need fio jq
need_python_nbd

cycles=${CYCLES:-20}
here=$(dirname "$0")
start_daemon
pool tank 4 256M
volume tank/stamps 64M raid5
stamps=$uri
volume tank/load 64M raid1
load=$uri

for cycle in $(seq "$cycles"); do
	$python "$here/daemon-kill9.py" write "$stamps" "$work/ledger" \
		"$cycle" >"$work/writer.log" 2>&1 &
	writer=$!
	fio_nbd load "$load" --rw=randwrite --size=64M --iodepth=8 \
		--io_size=10G --verify=crc32c --verify_backlog=64 \
		--verify_fatal=1 >"$work/fio.err" 2>&1 &
	fio=$!
	sleep "0.$((RANDOM % 9 + 1))$((RANDOM % 10))"
	kill_daemon
	wait "$writer" || fail "cycle $cycle: the writer"
	wait "$fio" || true
	! grep -q 'verify:' "$work/load.log" "$work/fio.err" ||
		fail "cycle $cycle: fio read what it had not written"

	start_daemon
	wait_for 10 slow_runs || fail "cycle $cycle: no slow stack"
	$python "$here/daemon-kill9.py" check "$stamps" "$work/ledger" \
		>"$work/check.log" 2>&1 || fail "cycle $cycle"
done
cat "$work/check.log"

fio_nbd last "$load" --rw=randwrite --size=64M --iodepth=8 \
	--verify=crc32c --verify_fatal=1
stop_daemon
