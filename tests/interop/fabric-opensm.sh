#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# OpenSM, unchanged, brings up our fabrics, sees what happens to them, and its
# tables carry packets.
# shows L2
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fabric-lib.sh"

# What OpenSM wrote about the last net.
forget() {
	rm -f "$work"/{osm.log,guid2lid,guid2mkey,neighbors}
}

# once NET ENGINE NODES: one sweep, without a complaint.
once() {
	start_fabric --make "$1"
	forget
	at H00000 opensm -o -d2 -f "$work/osm.log" -D 0x03 -R "$2" \
		>/dev/null 2>&1 || fail "opensm -o on $1 with $2"
	subnet_is_up 1 || fail "$1 is not up with $2"
	no_errors_of_opensm
	# shellcheck disable=SC2015
	[ "$(at H00001 ibnetdiscover | grep -cE '^(Switch|Ca)')" = "$3" ] ||
		fail "ibnetdiscover does not find $3 nodes in $1"
	[ "$(counter mads_no_route)" = 0 ] || fail "a datagram was lost"
	stop_fabric
}

once clos:hosts=36,ports=2,radix=36 minhop 42
once clos:hosts=36,ports=2,radix=12 updn 54
once clos:hosts=36,radix=12 ftree 45
once dragonfly:groups=5,switches=2,hosts=2,global=2 dfsssp 30
once torus:x=3,y=3,z=2,hosts=1 lash 36

# The daemon, while cables and a switch come and go.
start_fabric --make clos:hosts=16,ports=2,radix=8
forget
start_opensm H00000
# Its tables carry packets: nothing is lost, nothing overtakes.
for host in 1 4 7 11; do
	fabric flow "H000$(printf %02d $host)" "$(lid_of H00009:2)" 10
done
fabric start 50
sleep 1
fabric pause
sleep 1
fabric start 0
fabric flows >sums
[ "$(sed -n 's/^sent //p' sums)" -gt 1000 ] || fail "no packets"
[ "$(sed -n 's/^sent //p' sums)" = "$(sed -n 's/^received //p' sums)" ] ||
	fail "packets were lost"
grep -qx 'reordered 0' sums || fail "packets were reordered"
fabric clear

fabric cut 'H00009:1'
wait_for 30 subnet_is_up 2 || fail "no sweep after a cable was cut"
at H00003 ibnetdiscover >before
fabric restore 'H00009:1'
wait_for 30 subnet_is_up 3 || fail "no sweep after it was back"
at H00003 ibnetdiscover >after
[ $(($(grep -c '^\[' after) - $(grep -c '^\[' before))) = 2 ] ||
	fail "ibnetdiscover does not see the cable come back"
fabric off L0001
wait_for 30 subnet_is_up 4 || fail "no sweep after a switch was off"
! at H00003 ibnetdiscover | says 'L0001' || fail "L0001 is still there"
fabric on L0001
l0001_is_back() {
	at H00003 ibnetdiscover | says L0001
}
wait_for 60 l0001_is_back || fail "L0001 did not come back"
no_errors_of_opensm
[ "$(counter traps_repressed)" -gt 0 ] || fail "OpenSM repressed no trap"
# A trap that OpenSM saw is not sent for ever.
sent=$(counter traps_sent)
sleep 2
[ "$(counter traps_sent)" = "$sent" ] || fail "traps go on"
