#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest whose memory is a memfd, which QEMU may share with other processes,
# and larger than what it may keep here: it goes by the kernel's swap, a donor
# is killed on the way, and every word in the guest is right.
# shows S17, S18
. "$(dirname "$0")/../interop/lib-swap.sh"
. "$(dirname "$0")/boot.sh"
get_guest

two_donors 224M
swap_on --size 208M --donor beta/far,gamma/far

echo "$tests/mem_check" 128 3 2 >"$work/run-it"
"$root/tests/guest/mkinitrd.py" "$guest" "$work/initrd" \
	"$root/tests/guest/init-ram" -p "$tests/mem_check" \
	-f "$work/run-it:/run-it"

began=$SECONDS
boot_in=(causeway --socket "$work/alpha/control.sock" run --local 128M
	--via swap --)
boot "$work/initrd" "" -m 256 -machine memory-backend=ram \
	-object memory-backend-memfd,id=ram,size=256M,share=on \
	>"$work/guest.log" 2>&1 &
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
# What is swapped out and not given back yet is not made up for with more.
grep -qa 'G were swapped out' "$work/guest.log" && fail "$(tail "$work/guest.log")"
grep -aE 'GUEST-UP|mem_check:|causeway:' "$work/guest.log" | tr -d '\r'
echo "booted, ran and powered off in $((SECONDS - began)) s"
on alpha swap off || [ $? -eq 4 ] || fail "swap off"
