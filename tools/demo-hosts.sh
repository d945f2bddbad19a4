#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The second half of `tools/dev demo`: a volume over the drives of two hosts.
#
# Two network namespaces, joined by two cables, have a node each.  One lends
# memory to the other, whose RAID-5 volume is made of its own drives and of
# that memory.  In the middle of a copy a cable is pulled.
# shellcheck source=../tests/interop/lib-hosts.sh
. "$(dirname "$0")/../tests/interop/lib-hosts.sh"

began=$(date +%s.%N)
say() {
	printf '%5.1f s  %s\n' "$(since)" "$*"
}

since() {
	awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }'
}

hosts alpha beta
shape alpha 400 # Mbit/s, each link
node alpha
node beta
on alpha node add beta "$(addresses beta)" >/dev/null
wait_for 10 peer_is alpha beta up || fail "beta cannot be reached"
say "two hosts, a node on each, two links of 400 Mbit/s between them"

for i in 1 2; do
	on beta window create "disk$i" --size 128M --allow alpha:rw
	on alpha drive add "near$i" "file:$work/near$i.img,size=128M"
	on alpha drive add "far$i" "remote:beta/disk$i"
done >/dev/null
state=$work/alpha
cw pool create both near1 near2 far1 far2 >/dev/null
volume both/files 160M raid5
say "a RAID-5 volume over two files of alpha and two windows of beta"

files 160M "$work/in"
went_in=$(sha256sum <"$work/in")
nbdcopy --flush "$work/in" "$uri" &
copy=$!
wait_for 60 has_written alpha beta $((16 << 20)) || fail "the copy does not begin"
link_down alpha 0
kill -0 $copy 2>/dev/null || fail "the copy was over too soon"
say "in the middle of the copy link 0 is taken down"
wait $copy || fail "the copy met an error"
say "the copy has ended without an error"
peer=$(on alpha --json node show beta)
gap=$(jq '.longest_gap_ns / 1e6 | round' <<<"$peer")
resent=$(jq .resent <<<"$peer")
say "operations sent again on link 1: $resent; longest silence: $gap ms"

nbdcopy "$uri" "$work/out"
[ "$went_in" = "$(sha256sum <"$work/out")" ] || fail "MISMATCH"
say "copied out by link 1: the same checksum"
[ "$(cw --json pool show both | jq -r .state)" = online ] ||
	fail "the pool noticed"
link_up alpha 0
both_up() {
	[ "$(links_up alpha beta)" = 2 ]
}
wait_for 15 both_up || fail "link 0 is not taken back"
say "link 0 is up again and taken back; who reaches what at beta:"
on beta window list --peers | sed 's/^/         /'
