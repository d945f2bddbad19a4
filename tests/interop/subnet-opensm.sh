#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Our subnet manager and OpenSM on one fabric: each hands over to the better
# one, and takes over when the other is killed.
# shows L17, L19
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fabric-lib.sh"
need sminfo

sm=${CAUSEWAY_BUILD:-$root/build}/tests/subnet_umad

# master_is GUID-OF-PORT PRIORITY
master_is() {
	at H00003 sminfo | says "priority $1 state 3"
}

start_fabric --make clos:hosts=36,ports=2,radix=12

# OpenSM is master; a better one of ours comes, and it hands over.
start_opensm H00005 -p 1 -s 2
opensm_pid=$started
start_at H00000 "$sm" -k -p 10
ours=$started
wait_for 20 grep -q standby "$work/subnet_umad.log" ||
	fail "ours does not stand by for OpenSM"
kill -HUP "$opensm_pid"
wait_for 30 master_is 10 || fail "OpenSM has not handed over"
wait_for 30 grep -q 'Entering STANDBY' "$work/osm.log" ||
	fail "OpenSM does not stand by for ours"
wait_for 30 grep -q 'lag: ' "$work/subnet_umad.log" || fail "no virtual LID"

# Ours is killed: OpenSM takes over, and what we set up does it no harm.
kill -9 "$ours"
wait_for 90 master_is 1 || fail "OpenSM has not taken over"
[ "$(at H00003 ibnetdiscover | grep -cE '^(Switch|Ca)')" = 54 ] ||
	fail "nodes are missing"
kill "$opensm_pid"
wait "$opensm_pid" 2>/dev/null || true
stop_fabric

# Ours is master; a better OpenSM comes.
rm -f "$work"/{osm.log,guid2lid,guid2mkey,neighbors,subnet_umad.log}
start_fabric --make clos:hosts=36,ports=2,radix=12
start_at H00000 "$sm" -k -p 1
wait_for 30 grep -q 'master: first' "$work/subnet_umad.log" ||
	fail "ours is not master"
start_at H00005 opensm -d2 -f "$work/osm.log" -D 0x03 -p 10 -s 2
opensm_pid=$started
wait_for 60 grep -q standby "$work/subnet_umad.log" ||
	fail "ours has not handed over"
wait_for 30 grep -q 'Entering MASTER' "$work/osm.log" ||
	fail "OpenSM did not accept"
# What we set up does its first sweep no harm.
wait_for 60 grep -q 'SUBNET UP' "$work/osm.log" || fail "its sweep does not end"
master_is 10 || fail "OpenSM is not master"
[ "$(at H00003 ibnetdiscover | grep -cE '^(Switch|Ca)')" = 54 ] ||
	fail "nodes are missing"
kill -9 "$opensm_pid"
began=$SECONDS
wait_for 10 master_is 1 || fail "ours has not taken over"
echo "taken over within $((SECONDS - began)) s"
