#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# RDMA for real: what every lane must do, over soft-RoCE in a guest; by SENDs
# alone, then by RDMA.
# shows M20
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
PATH=$PATH:/usr/sbin:/sbin
need rdma
get_guest full

tests=${CAUSEWAY_BUILD:-$root/build}/tests
providers=/usr/lib/$(uname -m)-linux-gnu/libibverbs
driver=/etc/libibverbs.d/rxe.driver
[ -e "$driver" ] || { echo "no ibverbs-providers"; exit 77; }

cat >"$work/run-it" <<EOF
for kind in verbs-send verbs; do
	$tests/fabric_test_lane \$kind || exit 1
done
$tests/fabric_test_verbs || exit 1
EOF
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-verbs" -m virtio_pci -m virtio_net \
	-m crc32_generic -m crc32c_generic -m rdma_rxe -m rdma_ucm \
	-m ib_uverbs -p "$(command -v rdma)" -p "$tests/fabric_test_lane" \
	-p "$tests/fabric_test_verbs" \
	-f "$providers/librxe-rdmav34.so:$providers/librxe-rdmav34.so" \
	-f "$driver:$driver" -f "$work/run-it:/run-it"

began=$SECONDS
boot "$work/initrd" "ADDRESS=10.77.0.1" -netdev hubport,id=n0,hubid=0 \
	-device virtio-net-pci,netdev=n0,romfile= >"$work/guest.log" 2>&1 ||
	fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
echo "booted, worked and powered off in $((SECONDS - began)) s"
