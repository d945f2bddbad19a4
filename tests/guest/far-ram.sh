#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest whose memory is larger than what it may keep here: QEMU is run with
# far memory, a donor is killed on the way, and every word in the guest is
# right.
# shows S17, S18
. "$(dirname "$0")/../interop/lib-hosts.sh"
. "$(dirname "$0")/boot.sh"
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
get_guest
tests=${CAUSEWAY_BUILD:-$root/build}/tests

two_donors 288M

echo "$tests/mem_check 128 3 2" >"$work/run-it"
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-ram" -p "$tests/mem_check" \
	-f "$work/run-it:/run-it"

began=$SECONDS
boot_in=(causeway --socket "$work/alpha/control.sock" run --local 96M
	--donor "beta/far,gamma/far" --)
boot "$work/initrd" "" -m 256 >"$work/guest.log" 2>&1 &
others+=($!)
written() { # or it is over
	has_written alpha gamma $((32 << 20)) ||
		! kill -0 "${others[-1]}" 2>/dev/null
}
wait_for 100 written || fail "no memory of the guest leaves"
end_node gamma KILL
wait "${others[-1]}" || fail "QEMU: $?"
grep -qa 'GUEST-OK' "$work/guest.log" || fail "the guest says otherwise"
has_written alpha beta $((32 << 20)) || fail "beta was not used"
grep -aE 'GUEST-UP|mem_check:|causeway:' "$work/guest.log" | tr -d '\r'
echo "booted, ran and powered off in $((SECONDS - began)) s"
