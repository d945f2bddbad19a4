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

rdma_modules=() # more of them

# rdma_initrd OUT PROGRAM...: its /run-it is standard input, which is given
# the guest's address.
rdma_initrd() {
	local out=$1 programs=() modules=() program module
	shift
	for module in "${rdma_modules[@]}"; do
		modules+=(-m "$module")
	done
	for program; do
		programs+=(-p "$program")
	done
	cat >"$out.run-it"
	"$root/tests/guest/mkinitrd.py" "$guest" "$out" \
		"$root/tests/guest/init-verbs" -m virtio_pci -m virtio_net \
		-m crc32_generic -m crc32c_generic -m rdma_rxe -m rdma_ucm \
		-m ib_uverbs "${modules[@]}" -p "$(command -v rdma)" "${programs[@]}" \
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

# node_script NAME: the beginning of a /run-it: a node over soft-RoCE.
node_script() {
	echo "NAME=$1 PATH=\$PATH:$(dirname "$tests")"
	cat <<'EOF'
export PATH TMPDIR=/tmp
(umask 077; echo 0123456789abcdef0123456789abcdef-secret >/tmp/key)
cat >/tmp/node.yaml <<END
node: $NAME
cluster_key: /tmp/key
listen: ["verbs:$1:7420"]
END
causewayd --state /tmp/state --config /tmp/node.yaml &
cw() {
	causeway --socket /tmp/state/control.sock "$@"
}
try() { # until it succeeds, for two minutes
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 240 ] || return 1
		sleep .5
	done
}
try test -S /tmp/state/control.sock
EOF
}

# boot_both: the guests $work/beta and $work/alpha, on one wire.
boot_both() {
	local began=$SECONDS
	boot_rdma "$work/beta" 10.77.0.1 "$work/beta.log" \
		"stream,id=n0,server=on,addr.type=unix,addr.path=$work/wire" &
	others+=($!)
	wait_for 20 test -S "$work/wire" || fail "no first guest"
	boot_rdma "$work/alpha" 10.77.0.2 "$work/alpha.log" \
		"stream,id=n0,server=off,addr.type=unix,addr.path=$work/wire"
	wait "${others[0]}" || fail "beta's guest"
	others=()
	echo "booted, worked and powered off in $((SECONDS - began)) s"
}
