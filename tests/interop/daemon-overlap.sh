#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Overlapping writes in flight on several connections: no sector is torn or
# elsewhere, and copies and parity agree, as the loss of each drive shows.
# shows V1, V6, V12
. "$(dirname "$0")/lib.sh"
need_python_nbd

seed=${SEED:-$RANDOM}
here=$(dirname "$0")
start_daemon
for lost in 1 2 3 4; do
	pool "tank$lost" 4 16M ram
	for profile in raid1 raid5; do
		volume "tank$lost/$profile" 1M $profile
		$python "$here/daemon-overlap.py" write "$uri" "$seed" \
			"$work/$profile"
	done
	cw drive fail "tank$lost$lost" >/dev/null
	for profile in raid1 raid5; do
		$python "$here/daemon-overlap.py" check \
			"$(uri_of "tank$lost/$profile")" "$seed" "$work/$profile"
	done
done
stop_daemon
