#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest swaps, by the FUSE file and the loop device of `causeway swap on`, to
# memory of two nodes outside.  All its memory is asked for, so that nothing
# is free, while the process that serves it is killed and a donor dies: it
# never comes to a stop.  CYCLES=200 as the long run.
# shows S16, S18; S-failure (zero free pages)
. "$(dirname "$0")/../interop/lib-hosts.sh"
. "$(dirname "$0")/boot.sh"
get_guest
tests=${CAUSEWAY_BUILD:-$root/build}/tests
cycles=${CYCLES:-1}

hosts alpha beta gamma
for name in beta gamma; do
	node $name
	on $name window create far --size 224M --allow alpha:rw >/dev/null
done

# The guest is alpha, on the first network.
on_alpha() {
	ip -n "$(space alpha)" "$@"
}
ip netns exec "$(space alpha)" ip tuntap add tap0 mode tap
on_alpha link add bridge0 type bridge
on_alpha addr flush dev net0
for link in net0 tap0; do
	on_alpha link set $link master bridge0 up
done
on_alpha link set bridge0 up

cat >"$work/run-it" <<END
cycles=$cycles
check=$tests/mem_check
PATH=\$PATH:$(dirname "$tests")
END
cat >>"$work/run-it" <<'END'
export TMPDIR=/tmp CAUSEWAY_SOCKET=/tmp/state/control.sock
try() { # until it succeeds, for a minute
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 120 ] || { tail /tmp/causewayd.log; return 1; }
		sleep .5
	done
}
up() { causeway node show "$1" | grep -q ' up'; }

chmod 600 /key
cat >/tmp/node.yaml <<EOF
cluster_key: /key
listen: ["10.77.0.1:7420"]
EOF
causewayd --state /tmp/state --config /tmp/node.yaml --realtime \
	>/tmp/causewayd.log 2>&1 &
try test -S $CAUSEWAY_SOCKET || exit 1
causeway node add beta 10.77.0.2:7420 || exit 1
causeway node add gamma 10.77.0.3:7420 || exit 1
try up beta || exit 1
try up gamma || exit 1
causeway swap on --size 192M --donor beta/far,gamma/far || {
	cat /tmp/state/swap.log
	exit 1
}
free
# More than there is; half of it by each of two programs.
total=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
while [ $cycles -gt 0 ]; do
	$check $((total / 2 + 24)) 4 & one=$!
	$check $((total / 2 + 24)) 4 & two=$!
	sleep 2
	pid=$(pidof causeway-swap-worker)
	kill -9 "$pid"
	wait $one || exit 3
	wait $two || exit 3
	cycles=$((cycles - 1))
	echo "CYCLE-DONE $cycles"
done
grep pswp /proc/vmstat
causeway swap status
# By a cgroup of version 2.
causeway run --local 16M --via swap -- $check 32 2 || exit 4
causeway swap off || exit 5
END

"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-swap" -m virtio_pci -m virtio_net -m fuse \
	-m loop -p "$(command -v causewayd)" -p "$(command -v causeway)" \
	-p "$tests/mem_check" -f "$work/run-it:/run-it" -f "$work/key:/key"
began=$SECONDS
# Its programs lie in a ramfs: in a tmpfs the server itself would be swapped out.
boot_in=(ip netns exec "$(space alpha)")
boot "$work/initrd" "rootfstype=ramfs" \
	-m "${MEMORY:-224}" -smp 2 \
	-netdev tap,id=n0,ifname=tap0,script=no,downscript=no \
	-device virtio-net-pci,netdev=n0,romfile= \
	>"$work/guest.log" 2>&1 &
others+=($!)
wait "${others[-1]}" || fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
grep -aE 'GUEST-UP|mem_check:|pswp|donor' "$work/guest.log" | tr -d '\r'
echo "booted, swapped and powered off in $((SECONDS - began)) s"
