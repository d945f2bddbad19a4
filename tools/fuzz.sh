#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fuzz.sh NAME|all [SECONDS]: run fuzz targets that stand built in build-fuzz.
#
# Seeds are read from fuzz/corpus/NAME; what a run finds new is kept in
# build-fuzz/corpus/NAME, an input that fails in build-fuzz/crash-NAME-*.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${2:-60}

one() {
	local name=$1 log=build-fuzz/$1.log seeds=()
	mkdir -p "build-fuzz/corpus/$name"
	[ ! -d "fuzz/corpus/$name" ] || seeds=("fuzz/corpus/$name")
	if ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 \
	   UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
		"build-fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build-fuzz/crash-$name-" \
		"build-fuzz/corpus/$name" "${seeds[@]}" >"$log" 2>&1; then
		echo "PASS fuzz/$name $(sed -n \
			's/^stat::number_of_executed_units: */runs /p' "$log")"
	else
		tail -n 40 "$log" >&2
		echo "FAIL fuzz/$name see $log"
		return 1
	fi
}

if [ "${1:-}" = --one ]; then
	shift
	seconds=$2
	one "$1"
elif [ "${1:-all}" != all ]; then
	one "$1"
else
	tools/fuzz_targets.py --list |
		xargs -r -P "$(nproc)" -I '{}' "$0" --one '{}' "$seconds"
fi
