#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tshark takes apart the packets that we make, and says what we meant.
# shows L1, L10 (the codec)
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
need tshark

for seed in 1 2 3; do
	"${CAUSEWAY_BUILD:-$root/build}/tests/mad_craft" "$work/packets.erf" \
		$seed >"$work/meant"
	HOME=$work tshark -r "$work/packets.erf" -T pdml \
		>"$work/pdml" 2>"$work/tshark.log"
	/usr/bin/python3 "$root/tests/interop/mad-oracle.py" "$work/meant" \
		"$work/pdml"
done

# It would notice: one bit of a LID.
sed '/ PathRecord.dlid /s/.$/z/; s/z$/x/' "$work/meant" |
	sed '/ PathRecord.dlid /s/x$/0/' >"$work/wrong"
! cmp -s "$work/meant" "$work/wrong" || fail "nothing was changed"
! /usr/bin/python3 "$root/tests/interop/mad-oracle.py" "$work/wrong" \
	"$work/pdml" >/dev/null || fail "the oracle says yes to anything"
