#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh PAGE...: each manual page is formatted without a warning.
command -v groff >/dev/null || { echo "no groff"; exit 77; }
status=0
for page in "$@"; do
	words=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
	[ -z "$words" ] || { echo "$page: $words"; status=1; }
done
exit $status
