#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest whose memory does not hold its program swaps to a disk of ours: a
# volume mirrored over the memory of three other nodes.  One of them is killed
# in the middle, and every word of the program is right.
# shows S16, S18, X4
. "$(dirname "$0")/../interop/lib-hosts.sh"
. "$(dirname "$0")/boot.sh"
get_guest
tests=${CAUSEWAY_BUILD:-$root/build}/tests

echo "$tests/mem_check 80 2 2" >"$work/run-it"
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-swap-disk" -m virtio_pci -m virtio_blk \
	-p "$tests/mem_check" -f "$work/run-it:/run-it"

hosts alpha beta gamma delta
for name in alpha beta gamma delta; do
	node $name
done
state=$work/alpha # cw and volume mean alpha from here on
for name in beta gamma delta; do
	on alpha node add $name "$(addresses $name)" >/dev/null
	on $name window create disk --size 256M --allow alpha:rw >/dev/null
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
	cw drive add $name "remote:$name/disk" >/dev/null
done
cw pool create tank beta gamma delta >/dev/null
volume tank/swap 256M raid1

began=$SECONDS
boot "$work/initrd" "" -m 120 -smp 2 -drive \
	"file=$uri,format=raw,if=none,id=d0,cache=none,discard=unmap" \
	-device virtio-blk-pci,drive=d0 >"$work/guest.log" 2>&1 &
others+=($!)
written() { # or it is over
	has_written alpha gamma $((12 << 20)) ||
		! kill -0 "${others[-1]}" 2>/dev/null
}
wait_for 60 written || fail "the guest does not swap"
end_node gamma KILL
wait "${others[-1]}" || fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
grep -aE 'GUEST-UP|mem_check:|pswp|ran|off at' "$work/guest.log" | tr -d '\r'
echo "booted, swapped and powered off in $((SECONDS - began)) s"
