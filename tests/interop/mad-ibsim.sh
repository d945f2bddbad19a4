#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Our client and responder against a stock ibsim, beside stock tools.
# shows L1
# shellcheck source=tests/interop/ib-lib.sh
. "$(dirname "$0")/ib-lib.sh"
need_ibsim
probe=${CAUSEWAY_BUILD:-$root/build}/tests/mad_probe

cat >"$work/net" <<'NET'
Switch 8 "S0"
[1] "H0"[1]
[2] "H1"[1]
[3] "S1"[3]
[4] "S1"[4]
[5] "S2"[1]

Switch 8 "S1"
[1] "H2"[1]
[2] "H0"[2]
[3] "S0"[3]
[4] "S0"[4]

Switch 4 "S2"
[1] "S0"[5]

Hca 2 "H0"
[1] "S0"[1]
[2] "S1"[2]

Hca 2 "H1"
[1] "S0"[2]

Hca 1 "H2"
[1] "S1"[1]
NET
start_ibsim "$work/net"

# Every node, and every link of a switch, as ibnetdiscover has them.
sim H0 "$probe" walk >"$work/walk" || fail "walk"
[ "$(grep -c ^node "$work/walk")" = 6 ] || fail "not six nodes"
grep '^link 0x00000000002' "$work/walk" | cut -d' ' -f2- | sort >"$work/ours"
sim H0 ibnetdiscover 2>"$work/ibnetdiscover.log" | awk -F '["[\\](-]+' '
	/^Switch/ { node = $3 }
	/^(Ca|Rt)/ { node = "" }
	/^\[/ && node { print "0x" node, $2, "0x" $5, $6 }' |
	sort >"$work/theirs"
[ "$(wc -l <"$work/ours")" = 10 ] || fail "not ten ends of links"
diff "$work/ours" "$work/theirs" || fail "ibnetdiscover has other links"

# By LID, against smpquery.
sim_sweep H0
lid() { sim H0 smpquery -D portinfo "$1" "$2" | sed -n 's/^Lid:\.*//p'; }
h1=$(lid 0,1,2 1)
sim H0 "$probe" get 0x15 0 "$h1" >"$work/portinfo" || fail "PortInfo of $h1"
sim H0 smpquery portinfo "$h1" 1 >"$work/smpquery"
grep -qx "lid $h1" "$work/portinfo" || fail "not its own LID"
grep -qx 'port_state 4' "$work/portinfo" || fail "port not active"
grep -q '^LinkState:\.*Active' "$work/smpquery" || fail "smpquery disagrees"
ours=$(sed -n 's/^capability_mask //p' "$work/portinfo")
theirs=$(sed -n 's/^CapMask:\.*//p' "$work/smpquery")
[ $((ours)) = $((theirs)) ] || fail "CapabilityMask $ours, smpquery: $theirs"
sim H0 "$probe" get 0x11 0 "$h1" | says -x 'node_type 1' || fail "NodeInfo"

# What ibsim does not know, it drops and says so at once: no waiting for our
# own timeouts, no success.
! sim H0 "$probe" get 0xffe0 0 "$h1" 2>"$work/unknown.log" ||
	fail "an unknown attribute was answered"
grep -q 'timed out' "$work/unknown.log" || fail "not a timeout"

# Many at a time, none lost, none twice; also with a window at which ibsim and
# its preload would wait for each other's full sockets for ever.
for window in 64 2000; do
	sim H0 "$probe" rate $window 20000 | tee "$work/rate"
	grep -q ' answered 20000 ' "$work/rate" || fail "not all answered"
done

# As an SM: its own port tells of its new capability, sminfo asks, a switch
# tells of a lost link.
h0=$(lid 0 1)
s1=$(lid 0,1,3 0)
sim_start H0 "$work/sm.log" timeout 60 "$probe" sm 3
sm=$sim_pid
wait_for 20 grep -q 'trap 144' "$work/sm.log" || fail "no trap 144"
sim H1 sminfo "$h0" >"$work/sminfo" || fail "sminfo"
grep -q 'guid 0x1234, activity count 77 priority 9 state 3' "$work/sminfo" ||
	fail "sminfo says: $(cat "$work/sminfo")"
ibsim_tell 'Unlink "H2"[1]'
wait "$sm" || fail "the SM ended badly"
grep -A1 "^trap 128 issuer $s1\$" "$work/sm.log" | says -x "lid $s1" ||
	fail "no trap 128 from switch $s1"
[ -z "$(ls -d "$work"/sys-* 2>/dev/null)" ] || fail "clients left folders"
