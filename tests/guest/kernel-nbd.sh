#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The Linux kernel's own NBD client, in a guest: a thin RAID-5 volume is its
# disk, over two connections; it makes an ext4, uses it, and checks it.  Then
# the host checks what arrived.
# shows V1, V6, V10, V22
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
PATH=$PATH:/usr/sbin:/sbin
need nbd-client mkfs.ext4 e2fsck debugfs nbdcopy jq
get_guest

files 24M "$work/data"
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-nbd" -m virtio_pci -m virtio_net -m nbd \
	-m crc32c_generic -p "$(command -v nbd-client)" \
	-p "$(command -v mkfs.ext4)" -p "$(command -v e2fsck)" \
	-f "$work/data:/data"

start_daemon
pool tank 4 128M
cw volume create tank/disk --size 128M --raid raid5 >/dev/null
cw export create nbd tank/disk --tcp 127.0.0.1:0 >/dev/null
port=$(cw --json export list | jq -r '.exports[0].address | split(":")[-1]')

began=$SECONDS
boot "$work/initrd" "PORT=$port NAME=tank/disk" \
	-netdev user,id=n0 -device virtio-net-pci,netdev=n0,romfile= \
	>"$work/guest.log" 2>&1 || fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
grep -ao 'GUEST-UP.*' "$work/guest.log"
echo "booted, worked and powered off in $((SECONDS - began)) s"

nbdcopy "nbd://127.0.0.1:$port/tank/disk" "$work/disk"
e2fsck -fn "$work/disk" >"$work/e2fsck.log" 2>&1 || fail "e2fsck on the host"
debugfs -R "dump /data $work/arrived" "$work/disk" 2>/dev/null
cmp "$work/data" "$work/arrived"
stop_daemon
