#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The infiniband-diags, unchanged, on our fabric below OpenSM.
# shows L2
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fabric-lib.sh"
need ibqueryerrors iblinkinfo ibtracert smpquery perfquery saquery sminfo

start_fabric --make clos:hosts=16,ports=2,radix=8
start_opensm H00000
here=H00003:2
far=$(lid_of H00009:1)
own=$(lid_of $here)
leaf=$(at L0000 ibstat | sed -n 's/.*Base lid: //p')

at $here sminfo | says 'SMINFO_MASTER' || fail sminfo
at $here ibswitches | grep -c '^Switch' | says -x 12 || fail ibswitches
at $here ibhosts | grep -c '^Ca' | says -x 16 || fail ibhosts
[ "$(at $here iblinkinfo | grep -c 'Active/  LinkUp')" = 128 ] ||
	fail iblinkinfo

# Every step on the way, and both ends.
at $here ibtracert "$own" "$far" >trace
if ! grep -q 'To ca.*H00009' trace || ! grep -q 'From ca.*H00003' trace; then
	fail ibtracert
fi
at $here smpquery nodeinfo "$far" | says 'NodeType:.*Channel Adapter' ||
	fail "smpquery nodeinfo"
at $here smpquery nodedesc "$leaf" | says L0000 || fail "smpquery nodedesc"
at $here smpquery -D nodeinfo 0,2 | says 'NodeType:.*Switch' ||
	fail "smpquery -D"
at $here smpquery -c nodeinfo "$leaf" 0,1 | says 'Channel Adapter' ||
	fail "smpquery -c: a route that starts at a LID"
at $here smpquery portinfo "$leaf" 3 | says 'LinkState:.*Active' ||
	fail "smpquery portinfo"
at $here smpquery switchinfo "$leaf" | says 'LinearFdbCap:.*49152' ||
	fail "smpquery switchinfo"
for table in pkeys sl2vl vlarb; do
	at $here smpquery $table "$far" 1 >/dev/null || fail "smpquery $table"
done
at $here smpquery guidinfo "$far" >/dev/null || fail "smpquery guidinfo"
at $here ibroute "$leaf" | says 'valid lids dumped' || fail ibroute
at $here saquery --src-to-dst "$own:$far" | says "dlid.*$far" ||
	fail "saquery of a path"

# Counters that count, and no complaint about any port.
before=$(at $here perfquery -x "$far" 1 | sed -n 's/PortRcvPkts:\.*//p')
for _ in 1 2 3; do
	at $here smpquery nodeinfo "$far" >/dev/null
done
after=$(at $here perfquery -x "$far" 1 | sed -n 's/PortRcvPkts:\.*//p')
[ $((after - before)) -ge 3 ] || fail "perfquery -x: $before, then $after"
at $here perfquery -R "$far" 1 >/dev/null || fail "perfquery -R"
[ "$(at $here perfquery "$far" 1 |
	sed -n 's/PortRcvPkts:\.*//p')" -lt "$after" ] || fail "not cleared"
at $here ibqueryerrors >errors 2>&1 || fail "ibqueryerrors"
grep -q '28 nodes checked, 0 bad nodes found' errors || fail "ibqueryerrors"
grep -q '0 ports have errors' errors || fail "ibqueryerrors: ports"
! grep -qi 'fail' errors || fail "ibqueryerrors complains"
fabric cut 'H00009:2'
fabric restore 'H00009:2'
at $here perfquery "$(lid_of H00009:2)" 2 |
	grep -q 'LinkDownedCounter:\.*1$' || fail "a lost link is not counted"

# A responder at a port 2, which is no SM.
start_at H00005:2 ibping -S
wait_for 20 at $here ibping -c 1 "$(lid_of H00005:2)" || fail ibping
at $here ibping -c 200 -f "$(lid_of H00005:2)" |
	grep -q ' 0% packet loss' || fail "ibping lost packets"
no_errors_of_opensm
