# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after boot.sh: guests with soft-RoCE.
# shellcheck disable=SC2034,SC2154 # from and for the scripts that source it
PATH=$PATH:/usr/sbin:/sbin
BOOT_SECONDS=${BOOT_SECONDS:-500} # emulated adapters, on a busy machine
providers=/usr/lib/$(uname -m)-linux-gnu/libibverbs
driver=/etc/libibverbs.d/rxe.driver
tests=${CAUSEWAY_BUILD:-$root/build}/tests

get_rdma_guest() {
	need rdma
	[ -e "$driver" ] || { echo "no ibverbs-providers"; exit 77; }
	get_guest full
}

# rdma_initrd OUT PROGRAM...: its /run-it is standard input, which is given
# the guest's address.
rdma_initrd() {
	local out=$1 programs=() program
	shift
	for program; do
		programs+=(-p "$program")
	done
	cat >"$out.run-it"
	"$root/tests/guest/mkinitrd.py" "$guest" "$out" \
		"$root/tests/guest/init-verbs" -m virtio_pci -m virtio_net \
		-m crc32_generic -m crc32c_generic -m rdma_rxe -m rdma_ucm \
		-m ib_uverbs -p "$(command -v rdma)" "${programs[@]}" \
		-f "$providers/librxe-rdmav34.so:$providers/librxe-rdmav34.so" \
		-f "$driver:$driver" -f "$out.run-it:/run-it"
}

# boot_rdma INITRD ADDRESS LOG NETDEV: id of the netdev is n0.
boot_rdma() {
	local mac
	mac=$(printf '52:54:00:00:00:%02x' "${2##*.}")
	boot "$1" "ADDRESS=$2" -netdev "$4" \
		-device "virtio-net-pci,netdev=n0,mac=$mac,romfile=" \
		>"$3" 2>&1 || fail "QEMU: $?"
	grep -qa 'GUEST-OK' "$3" || fail "the guest says otherwise"
}
