#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# All that CI runs: `tools/dev check`.  One line per step, the failures, and
# a count as the last line.  Logs stay in build-check/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
logs=$PWD/build-check
rm -rf "$logs"
mkdir -p "$logs"
results=$logs/results
: >"$results"

say() {
	printf '%-16s %-26s %5d s\n' "$1" "$2" $((SECONDS - began))
}

# step NAME COMMAND...: counts as one test.
step() {
	local name=$1
	shift
	began=$SECONDS
	if "$@" >"$logs/$name.log" 2>&1; then
		echo "PASS step:$name" >>"$results"
		say "$name" ok
	else
		echo "FAIL step:$name exit $?, $logs/$name.log" >>"$results"
		say "$name" FAILED
		tail -n 60 "$logs/$name.log"
		return 1
	fi
}

# suite LABEL KIND SUITE [meson's arguments]: each of its tests counts.
suite() {
	local label=$1 kind=$2 name=$3 status=0 base
	shift 3
	base=$(folder "$kind")/meson-logs/check-$label
	rm -f "$base".*
	began=$SECONDS
	tools/dev run-tests "$kind" --suite "$name" --logbase "check-$label" \
		"$@" >"$logs/$label.log" 2>&1 || status=$?
	: >"$logs/$label.results"
	[ ! -f "$base.json" ] || tools/tally.py meson "$label" "$base.json" \
		>"$logs/$label.results" 2>>"$logs/$label.log"
	if [ ! -s "$logs/$label.results" ] || {
		[ $status -ne 0 ] && ! grep -q ^FAIL "$logs/$label.results"
	}; then
		echo "FAIL suite:$label no tests ran, or meson failed:" \
			"$logs/$label.log" >>"$logs/$label.results"
	fi
	cat "$logs/$label.results" >>"$results"
	say "$label" "$(grep -c ^PASS "$logs/$label.results") passed,\
 $(grep -c ^FAIL "$logs/$label.results") failed"
	grep -q ^FAIL "$logs/$label.results" && tail -n 80 "$logs/$label.log"
	return 0
}

folder() {
	if [ "$1" = gcc ]; then echo build; else echo "build-$1"; fi
}

fuzz() {
	began=$SECONDS
	tools/fuzz.sh all 5 >"$logs/fuzz.results" 2>"$logs/fuzz.log"
	cat "$logs/fuzz.results" >>"$results"
	[ -s "$logs/fuzz.results" ] || echo "FAIL fuzz:all no target ran" \
		>>"$results"
	say fuzz "$(grep -c ^PASS "$logs/fuzz.results") passed"
	cat "$logs/fuzz.log"
}

for kind in gcc clang asan tsan fuzz; do
	step "build-$kind" tools/dev build $kind
done
suite style gcc style
suite unit gcc unit
suite clang clang unit
suite asan asan unit -t 5
suite tsan tsan threads -t 5
suite model gcc model
fuzz
suite interop gcc interop
suite guest gcc guest
step demo tools/demo.sh

echo
exec tools/tally.py sum "$results"
