#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Random operations of libnbd against an array, on each profile, whole and
# with a drive failed half way.
# shows V1, V5, V6, V9, V10, V12, V22, V23
. "$(dirname "$0")/lib.sh"
need jq
need_python_nbd

seed=${SEED:-$RANDOM}
start_daemon
pool tank 5 128M ram
for profile in raid0 raid1 raid5; do
	volume "tank/$profile" 24M $profile
	$python "$(dirname "$0")/daemon-model.py" "$uri" "$seed" 2500
done
cw drive fail tank3 >/dev/null
for profile in raid1 raid5; do
	cw volume create "tank/late-$profile" --size 24M --raid $profile
	cw export create nbd "tank/late-$profile" \
		--unix "$(socket_of "tank/late-$profile")"
	$python "$(dirname "$0")/daemon-model.py" \
		"$(uri_of "tank/late-$profile")" "$seed" 2500
done
stop_daemon
