#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# RDMA for real: the conformance suite of lanes over soft-RoCE, in a guest.
# shows M20
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
PATH=$PATH:/usr/sbin:/sbin
need rdma
get_guest full

providers=/usr/lib/$(uname -m)-linux-gnu/libibverbs
[ -e "$providers/librxe-rdmav34.so" ] || skip "no ibverbs-providers"
initrd() {
	"$root/tests/guest/mkinitrd.py" "$guest" "$work/$1" \
		"$root/tests/guest/init-verbs" \
		-m virtio_pci -m virtio_net -m crc32_generic -m crc32c_generic \
		-m rdma_rxe -m rdma_ucm -m ib_uverbs \
		-p "$(command -v rdma)" -p "$build/tests/fabric_test_lane" \
		-f "$providers/librxe-rdmav34.so:$providers/librxe-rdmav34.so" \
		-f "/etc/libibverbs.d/rxe.driver:/etc/libibverbs.d/rxe.driver" \
		-f "$work/run-it:/run-it"
}

cat >"$work/run-it" <<EOT
export LANE_ADDRESS=\$1
for kind in verbs-send verbs; do
	$build/tests/fabric_test_lane \$kind || exit 1
done
EOT
initrd initrd
boot "$work/initrd" "ADDRESS=10.77.0.1" \
	-netdev "hubport,id=n0,hubid=0" -device virtio-net-pci,netdev=n0,romfile= \
	>"$work/guest.log" 2>&1 || fail "QEMU: $?"
cat "$work/guest.log"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
