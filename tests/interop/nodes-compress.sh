#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs with --compress: what compresses stays here, the rest and the
# coldest go to donors, and every value is right: threads that write as pages
# leave, forks, mremap, madvise, a donor's death.  A thread that the pager holds
# on a core gets all of its cores back.
# shows S3, S9, S10, S18
. "$(dirname "$0")/lib-hosts.sh"
need curl
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests

# packed CASE [CHECKS]: pages with none to too much noise to be compressed.
packed() {
	FAR_COMPRESS=1 FAR_NOISE=1 "$tests/far_run" "${local:-16M}" ram:1G \
		"$tests/far_hammer" "$@" 2>>"$work/far.log"
}
# What the last run counted.
count() {
	grep '^far_run: faults' "$work/far.log" | tail -n 1 |
		sed -n "s/.* $1 \([0-9]*\).*/\1/p"
}

for case in "threads 10000" same forks children remaps unmaps; do
	# shellcheck disable=SC2086 # words
	packed $case || fail "hammer $case: $(tail -n 5 "$work/far.log")"
	[ "$(count compressed)" -gt 1000 ] || fail "$case: nothing is compressed"
	# What is moved or unmapped at once comes from nowhere.
	[[ $case == *maps ]] || [ "$(count from_tier)" -gt 500 ] ||
		fail "$case: nothing comes from there"
	[ "$(count refused)" -gt 500 ] || fail "$case: everything is compressed"
	[ "$(count written)" -gt 500 ] || fail "$case: nothing left"
	[ "$(count packed)" = 0 ] || fail "$case: pages stay that are nobody's"
done

# A range is moved over one whose pages are on their way out.
for round in 1 2; do
	local=8M packed remaps || fail "remaps $round: $(tail -n 5 "$work/far.log")"
done

# What is held on a core, and what that begins, gets all of them back.
if [ "$(nproc)" -gt 1 ]; then
	packed hold >"$work/held" || fail "hold: $(tail -n 5 "$work/far.log")"
	grep -q held "$work/held" || fail "it was never held on a core"
fi

hosts alpha beta gamma
for name in alpha beta gamma; do
	node $name --metrics "unix:$work/$name.metrics"
done
for name in beta gamma; do
	on alpha node add $name "$(addresses $name)" >/dev/null
	on $name window create far --size 96M --allow alpha:rw >/dev/null
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
done

program_is() { # FILTER
	on alpha --json status | jq -e ".programs[0] | $1" >/dev/null
}
FAR_NOISE=1 on alpha run --local 16M --donor beta/far,gamma/far --compress -- \
	"$tests/far_hammer" until "$work/end" 2>>"$work/run.log" &
program=$!
wait_for 30 program_is '.compressed > 1000 and .compressed_bytes < 14000000 and
	.from_compressed > 1000 and .written > 1000' ||
	fail "$(on alpha --json status | jq .programs)"
on alpha top --count 1 | says 'PACKED' || fail "$(on alpha top --count 1)"
curl -sSf --unix-socket "$work/alpha.metrics" http://localhost/metrics |
	says '^causeway_far_pages_decompressed_total{program=".*far_hammer"' ||
	fail "no metrics"
end_node gamma KILL
wait_for 20 grep -q 'donor gamma/far fails' "$work/run.log" ||
	fail "nobody was told"
touch "$work/end"
wait $program || fail "a donor's death reached the program"
grep -q 'compressed: [0-9]* pages, [0-9.]* to 1; [0-9]* pages came from there' \
	"$work/run.log" || fail "no totals"

# It is not for the kernel's swap, which has its own.
code=0
on alpha run --local 16M --via swap --compress -- true 2>"$work/refused" ||
	code=$?
[ $code = 2 ] && grep -q 'zswap' "$work/refused" ||
	fail "exit code $code: $(cat "$work/refused")"
