#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every shell script passes shellcheck; a script is what starts like one.
cd "$(dirname "$0")/.." || exit 1
command -v shellcheck >/dev/null || { echo "no shellcheck"; exit 77; }
mapfile -t scripts < <(find .ci tools tests bench examples packaging \
	-type f -print0 2>/dev/null |
	xargs -0 awk 'FNR == 1 && /^#!.*[\/ ](ba)?sh|shell=/ { print FILENAME }
	              FNR == 2 && /shellcheck shell=/ { print FILENAME }' |
	sort -u)
echo "${#scripts[@]} scripts"
# SC2015, SC2119: `test && test || fail` and calls without arguments are meant.
shellcheck -x -e SC2015,SC2119 -P tests/interop -P tests/guest -P tools "${scripts[@]}"
