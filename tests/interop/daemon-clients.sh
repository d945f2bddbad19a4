#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients that nobody here wrote, one after the other, on thin volumes:
# nbdinfo, nbdcopy, nbdsh, qemu-img, qemu-io, fio and nbdkit's own nbd plugin.
# shows V1, V6, V7, V9, V10, V22
. "$(dirname "$0")/lib.sh"
need nbdcopy nbdinfo nbdsh qemu-img qemu-io fio nbdkit jq

start_daemon
pool tank 5 256M
files 48M "$work/in"
truncate -s 64M "$work/zeroes"

for profile in raid0 raid1 raid5; do
	volume "tank/$profile" 64M $profile

	test "$(nbdinfo --size "$uri")" -eq $((64 << 20))
	nbdinfo --json "$uri" | jq -e '.exports[0] |
		.is_read_only == false and .can_flush and .can_trim and
		.can_zero and .can_fua and .can_multi_conn' >/dev/null ||
		fail "nbdinfo misses a flag: $(nbdinfo --json "$uri")"

	# A volume nobody wrote to is one hole that reads as zeroes.
	nbdinfo --map --totals "$uri" >"$work/map"
	! grep -qw data "$work/map" || fail "data in an empty volume"
	qemu-img compare -q -f raw -F raw "$uri" "$work/zeroes" ||
		fail "an empty volume does not read as zeroes"

	nbdcopy "$work/in" "$uri"
	qemu-img compare -q -f raw -F raw "$work/in" "$uri"
	nbdcopy "$uri" "$work/out"
	cmp -n $((48 << 20)) "$work/in" "$work/out"

	# Past what was copied in, the volume is still a hole for everybody.
	qemu-img map --output=json -f raw "$uri" >"$work/map"
	jq -e 'map(select(.start >= 50331648 and .data)) | length == 0' \
		"$work/map" >/dev/null || fail "data behind the copy"
	jq -e 'map(select(.data) | .length) | add > 0' "$work/map" >/dev/null

	# To another format and back.
	qemu-img convert -q -f raw -O qcow2 "$uri" "$work/q.qcow2"
	qemu-img compare -q -f qcow2 -F raw "$work/q.qcow2" "$uri"
	qemu-img convert -q -n -f qcow2 -O raw "$work/q.qcow2" "$uri"
	qemu-img compare -q -f raw -F raw "$work/in" "$uri"

	qemu-io -f raw "$uri" -c 'write -q -P 0xa5 1M 256k' \
		-c 'write -q -f -P 0x5a 1052672 4k' -c flush \
		-c 'read -q -P 0xa5 1M 4k' -c 'read -q -P 0x5a 1052672 4k' \
		-c 'read -q -P 0xa5 1056768 64k' -c 'write -q -z 1M 64k' \
		-c 'read -q -P 0 1M 64k' -c 'discard -q 1114112 64k' \
		-c 'read -q -P 0 1114112 64k' \
		-c 'read -q -P 0xa5 1179648 128k' >"$work/qemu-io.log" 2>&1
	! grep -q -i fail "$work/qemu-io.log" ||
		fail "qemu-io: $(cat "$work/qemu-io.log")"

	# With the python3 that has libnbd.
	PATH=/usr/bin:$PATH nbdsh -u "$uri" -c 'h.pwrite(b"nbdsh" * 4096, 512 * 1000)' \
		-c 'h.flush(); assert h.pread(512, 512 * 1001)[:5] == b"dshnb"' \
		-c 'h.zero(4096, 4096); assert h.pread(4096, 4096).strip(b"\0") == b""'

	nbdkit -U - nbd uri="$uri" --run "nbdcopy \$uri '$work/out'"
	nbdcopy "$uri" "$work/direct"
	cmp "$work/out" "$work/direct"

	fio_nbd "verify-$profile" "$uri" --rw=randwrite --size=32M \
		--iodepth=16 --bsrange=4k-128k --verify=crc32c \
		--verify_fatal=1
	fio_nbd "trim-$profile" "$uri" --rw=randtrim --size=32M --bs=64k \
		--iodepth=4
done
cw export list | says tank/raid5
stop_daemon
