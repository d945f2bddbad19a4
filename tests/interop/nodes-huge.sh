#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A donor lends of the huge pages that its operator has reserved; they are his
# again when the program has ended.  shows S1
. "$(dirname "$0")/lib-hammer.sh"
M=$((1 << 20))
reserved=/proc/sys/vm/nr_hugepages

free_huge() { # PAGES: that nobody has or has reserved
	awk -v wants="$1" '/HugePages_Free/ { n += $2 } /HugePages_Rsvd/ { n -= $2 }
		END { exit n != wants }' /proc/meminfo
}
[ "$(cat $reserved)" = 0 ] || { echo "somebody uses huge pages here"; exit 77; }
trap 'status=$?; set +e; echo 0 >$reserved; (exit $status); clean' EXIT
{ echo 40 >$reserved && free_huge 40; } 2>/dev/null ||
	{ echo "no huge pages to be had here"; exit 77; }

hosts alpha beta
for name in alpha beta; do
	node "$name"
done
on beta donor offer --size 128M >/dev/null
on alpha node add beta "$(addresses beta)" >/dev/null
wait_for 10 peer_is alpha beta up || fail "$(on alpha node list)"

begin --deadline 20000 --donor beta --copies 1
[ "$(on beta --json donor list |
	jq -c '.loans[0] | [.huge_pages, .locked, .size]')" = "[\"reserved\",true,$((64 * M))]" ] ||
	fail "$(on beta donor list)"
free_huge 8 || fail "$(grep Huge /proc/meminfo)"
wait_for 20 has_written alpha beta $M || fail "nothing leaves"
finish
wait_for 5 free_huge 40 || fail "$(grep Huge /proc/meminfo)"

# What does not fit there is lent all the same.
echo 16 >$reserved
begin --deadline 20000 --donor beta --copies 1
[ "$(on beta --json donor list | jq -r '.loans[0].huge_pages')" != reserved ] ||
	fail "$(on beta donor list)"
finish
