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
# A volume without redundancy would not survive the next, so it is refused.
! cw drive fail tank3 2>"$work/err" || fail "raid0 has lost a drive"
grep -q redundancy "$work/err"
cw export remove "$(export_name tank/raid0)" >/dev/null
cw volume delete tank/raid0 >/dev/null
cw drive fail tank3 >/dev/null
for profile in raid1 raid5; do
	cw volume create "tank/late-$profile" --size 24M --raid $profile \
		>/dev/null
	cw export create nbd "tank/late-$profile" \
		--unix "$(socket_of "tank/late-$profile")" >/dev/null
	$python "$(dirname "$0")/daemon-model.py" \
		"$(uri_of "tank/late-$profile")" "$seed" 2500
done
stop_daemon
