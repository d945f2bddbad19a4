#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A machine without a free page left, whose kernel swaps to two donors by TCP:
# it needs memory to free memory.  Again and again (CYCLES) a program wants
# more than there is, and the process that serves the swap device is killed
# while it does: every word is right, and nothing waits longer than STALL_MS.
# shows S16 (no free pages), S18
. "$(dirname "$0")/../interop/lib-hosts.sh"
. "$(dirname "$0")/boot.sh"
[ -w /dev/net/tun ] || { echo "no network devices for guests here"; exit 77; }
get_guest
tests=${CAUSEWAY_BUILD:-$root/build}/tests
cycles=${CYCLES:-2}
stall_ms=${STALL_MS:-15000} # the emulator shares its CPUs with others
BOOT_SECONDS=$((120 + cycles * 60))

# The guest takes alpha's place at the first switch.
hosts alpha beta gamma
link_down alpha 0
for name in beta gamma; do
	node $name
	on $name window create far --size 128M --allow alpha:rw >/dev/null
done
ip -n "$(space switch0)" tuntap add tap0 mode tap
ip -n "$(space switch0)" link set tap0 master bridge0 up

{
	echo "cycles=$cycles stall_ms=$stall_ms path=$(dirname "$(command -v causeway)") tests=$tests"
	echo "beta=$(address beta 0):$port gamma=$(address gamma 0):$port"
	cat <<'EOS'
export PATH="$PATH:$path" TMPDIR=/tmp
cw() {
	causeway --socket /tmp/state/control.sock "$@"
}
try() { # until it succeeds, for a minute
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 120 ] || return 1
		sleep .5
	done
}
number() {
	cw --json swap status | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1
}
stands_by() { # and another serves
	[ "$(number spare)" != 0 ]
}
(umask 077; cat /key >/tmp/key)
printf 'node: alpha\ncluster_key: /tmp/key\nlisten: ["%s:7420"]\n' "$1" \
	>/tmp/node.yaml
causewayd --realtime --state /tmp/state --config /tmp/node.yaml &
try test -S /tmp/state/control.sock
echo 32768 >/proc/sys/vm/min_free_kbytes
for name in beta gamma; do
	eval "cw node add $name \$$name" || exit 1
	try cw window cat $name/far --length 1 >/dev/null 2>&1 || exit 1
done
cw swap on --size 120M --donor beta/far,gamma/far || exit 1

# A program with a limit, by version 2 of cgroups.
mount -t cgroup2 cgroup /sys/fs/cgroup || exit 1
pages_out() {
	sed -n 's/^pswpout //p' /proc/vmstat
}
before=$(pages_out)
cw run --local 16M --via swap -- "$tests/mem_check" 24 1 || exit 1
[ $(($(pages_out) - before)) -gt 2000 ] || exit 1

n=0
while [ $n -lt "$cycles" ]; do
	n=$((n + 1))
	"$tests/mem_check" $((66 + n % 3 * 4)) 1 >/tmp/said &
	program=$!
	sleep 1
	try stands_by || exit 1
	kill -KILL "$(number worker)"
	wait $program || exit 1
	cat /tmp/said
	[ "$(sed 's/.*longest \([0-9]*\) ms/\1/' /tmp/said)" -lt "$stall_ms" ] || exit 1
done
cw swap status
grep pswp /proc/vmstat
# Few cycles may go by without one.
awk '/^allocstall/ { n += $2 } END { print n, "waits for memory"; exit n == 0 }' \
	/proc/vmstat || [ "$cycles" -lt 20 ] || exit 1
[ "$(number workers)" = $((cycles + 1)) ] || exit 1
! dmesg | grep -E 'swap-device|page allocation failure|oom' || exit 1
cw swap off || exit 1
EOS
} >"$work/run-it"
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-net" -m virtio_pci -m virtio_net -m fuse -m loop \
	-p "$tests/mem_check" -p "$(command -v causewayd)" \
	-p "$(command -v causeway)" -f "$work/run-it:/run-it" \
	-f "$work/key:/key"

began=$SECONDS
boot_in=(ip netns exec "$(space switch0)")
boot "$work/initrd" "ADDRESS=$(address alpha 0)" -m 256 -smp 2 \
	-netdev tap,id=n0,ifname=tap0,script=no,downscript=no \
	-device virtio-net-pci,netdev=n0,romfile= \
	>"$work/guest.log" 2>&1 || fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
tr -d '\r' <"$work/guest.log" |
	grep -aE 'GUEST-UP|mem_check:|waits|pswp|requests,' | tail -n 8
tr -d '\r' <"$work/guest.log" |
	awk '/mem_check:/ && $(NF - 1) > most { most = $(NF - 1) }
		END { print "longest of all: " most " ms" }'
echo "booted, ran and powered off in $((SECONDS - began)) s"
