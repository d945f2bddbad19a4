#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The README's tour, as it stands: each of its `sh` blocks, in one shell.
. "$(dirname "$0")/lib.sh"
need nbdinfo nbdcopy jq openssl

awk '/^## /  { tour = /Five-minute tour/ }
     /^```$/ { block = 0 }
     block   { print }
     tour && /^```sh$/ { block = 1 }' "$root/README.md" >"$work/tour"
[ "$(grep -c . "$work/tour")" -gt 20 ] || fail "the tour is gone"

# The programs under test instead of build/, and all in the scratch folder.
sed -i "s|\$PWD/build|${CAUSEWAY_BUILD:-$root/build}|" "$work/tour"
# Addresses that no other run of this test has.
sed -i "s/127\.77\./127.$((100 + $$ % 100))./g" "$work/tour"
{
	echo 'set -e; shopt -s expand_aliases'
	# A reader's shell prints and goes on; here whatever fails must stop.
	echo "trap 'kill \$(jobs -p) 2>/dev/null || true' EXIT"
	cat "$work/tour"
} >"$work/script"
TMPDIR=$work timeout 180 bash "$work/script" >"$work/tour.log" 2>&1 ||
	fail "exit $?"
cat "$work/tour.log"
for said in 'bit for bit the same' 'still the same' 'exit code 4' \
	'the same over there'; do
	grep -q "$said" "$work/tour.log" || fail "the tour does not say: $said"
done
