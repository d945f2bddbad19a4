#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What an operator of a subnet types, on the software fabric, beside stock
# tools.  shows L3, L4, L5, L6, L9, L17, L19
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/interop/fabric-lib.sh
. "$(dirname "$0")/fabric-lib.sh"
# shellcheck source=tests/interop/subnet-lib.sh
. "$(dirname "$0")/subnet-lib.sh"
need ibroute ibtracert jq curl

start_fabric --make clos:hosts=16,ports=2,radix=8
manager a H00000 --metrics "unix:$work/metrics"

# Nothing is there before `up`, and `up` says what it cannot do.
status=0
on a subnet nodes 2>"$work/refused" || status=$?
[ $status = 3 ] || fail "without a manager: exit $status"
grep -q 'subnet up' "$work/refused" || fail "no advice: $(cat "$work/refused")"
echo 0x1234567 >"$work/key"
chmod 644 "$work/key"
status=0
on a subnet up --m-key "$work/key" 2>"$work/refused" || status=$?
[ $status = 5 ] || fail "a key for everybody: exit $status"
grep -q 'chmod 600' "$work/refused" || fail "no advice about the key"
status=0
on a subnet up --engine fastest 2>/dev/null || status=$?
[ $status = 2 ] || fail "a bad engine: exit $status"

on a subnet up --priority 3 || fail up
! on a subnet up 2>/dev/null || fail "up twice"
settle a

# The same nodes and links as ibnetdiscover has, the same routes as ibroute.
at H00003 ibnetdiscover >"$work/net" 2>/dev/null
nodes=$(grep -cE '^(Switch|Ca)' "$work/net")
ends=$(grep -c '^\[' "$work/net")
[ "$(on a --json subnet nodes | jq '.nodes | length')" = "$nodes" ] ||
	fail "not $nodes nodes"
[ "$(on a --json subnet links | jq '.links | length')" = $((ends / 2)) ] ||
	fail "not $ends ends of links"
routes_of() { # SWITCH: "LID PORT" of LIDs below the virtual ones
	on a --json subnet routes "$1" |
		jq -r '.routes[] | select(.lid < 1000) | "\(.lid) \(.port)"'
}
for switch in L0000 L0007; do
	lid=$(on a --json subnet nodes |
		jq ".nodes[] | select(.node == \"$switch\") | .lid")
	at H00003 ibroute "$lid" 2>/dev/null |
		sed -nE 's/^(0x[0-9a-f]+) ([0-9]+) .*/\1 \2/p' |
		while read -r to port; do
			[ $((to)) -ge 1000 ] || echo $((to)) $((10#$port))
		done >"$work/theirs"
	routes_of "$switch" >"$work/ours"
	[ -s "$work/ours" ] || fail "no routes of $switch"
	diff "$work/ours" "$work/theirs" || fail "ibroute has other routes"
done

# Every host has a virtual LID; one may be taken away, and comes back.
lags() {
	on a --json subnet lag list | jq -r '.lags[] |
		"\(.host) \(.state) \(.virtual_lid)"' | sort
}
lags >"$work/lags"
[ "$(grep -c 'in force' "$work/lags")" = 16 ] || fail "not 16 virtual LIDs"
[ "$(cut -d' ' -f4 "$work/lags" | sort -u | wc -l)" = 16 ] || fail "one twice"
is_lag() { # HOST STATE
	[ "$(on a --json subnet lag show "$1" | jq -r .state)" = "$2" ]
}
on a subnet lag delete H00005
is_told() {
	on a subnet events | says 'H00005 is not aggregated any more'
}
wait_for 10 is_told || fail "H00005 was not told"
is_lag H00005 off || fail "H00005 has still a virtual LID"
settle a
kill -9 "$(on a --json status | jq '.processes[] |
	select(.role == "sm") | .pid')"
is_back() {
	[ "$(on a --json status | jq '.processes[] |
		select(.role == "sm" and .state == "running") | .starts')" = 2 ]
}
wait_for 10 is_back || fail "the manager's process did not come back"
settle a
is_lag H00005 off || fail "a new process forgot it"
on a subnet lag create H00005
wait_for 10 is_lag H00005 'in force' || fail "H00005 is not aggregated again"
lags >"$work/again"
diff "$work/lags" "$work/again" || fail "another virtual LID"

# Explanations end where packets do; a plan changes nothing.
on a subnet explain H00001 H00014 >"$work/why" || fail "no way to H00014"
tail -n 1 "$work/why" | says '^H00014' || fail "it ends elsewhere"
from=$(on a --json subnet nodes | jq '.nodes[] | select(.node == "L0000") | .lid')
to=$(on a --json subnet nodes | jq '.nodes[] | select(.node == "L0003") | .lid')
hops=$(on a --json subnet explain L0000 L0003 | jq '.hops | length')
traced=$(at H00003 ibtracert "$from" "$to" 2>/dev/null | grep -c -- '->')
[ $((traced + 1)) = "$hops" ] || fail "$hops hops, ibtracert: $traced"
! on a subnet explain H00001 nobody 2>/dev/null || fail "a way to nobody"
uplink=$(on a --json subnet links | jq -r '[.links[] | select(.a_kind ==
	"switch" and .b_kind == "switch")][0] | "\(.a)[\(.a_port)]"')
planned=$(on a --json subnet plan --without "$uplink" | jq .entries)
[ "$planned" -gt 0 ] || fail "nothing would change without $uplink"
routes_of L0000 >"$work/after"
routes_of L0000 >"$work/before"
diff "$work/before" "$work/after" || fail "a plan was carried out"
on a subnet plan --anew >/dev/null || fail "no plan anew"
on a subnet topology --svg >"$work/svg"
python3 -c 'import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])' "$work/svg" || fail "no SVG"
[ "$(grep -c '<rect' "$work/svg")" = "$nodes" ] || fail "not all are drawn"
[ "$(on a subnet topology --dot | grep -c -- ' -- ')" = $((ends / 2)) ] ||
	fail "not all links are drawn"

# A cut is an event, is mended, and shows in the metrics.
fabric cut "$uplink"
wait_for 10 has_links a $((ends / 2 - 1)) || fail "a cut link is not missed"
on a subnet events | says 'link-down' || fail "no event"
[ "$(on a --json subnet diff | jq '.diff | length')" = 0 ] || fail "unsent"
links_in_metrics() {
	curl -s --unix-socket "$work/metrics" http://localhost/metrics |
		grep -qx "causeway_subnet_links $((ends / 2 - 1))"
}
wait_for 5 links_in_metrics || fail "the metrics show no link less"
fabric restore "$uplink"
wait_for 10 has_links a $((ends / 2)) || fail "it is not found again"

# A second manager stands by, and takes over with the same virtual LIDs.
manager b H00009
on b subnet up || fail "the second is not up"
wait_for 10 is_in b standby || fail "the second does not stand by"
settle a
kill -9 "${manager_pid[a]}"
wait "${manager_pid[a]}" 2>/dev/null || true
wait_for 5 is_in b master || fail "the standby did not take over"
settle b
on b --json subnet lag list | jq -r '.lags[] |
	"\(.host) \(.state) \(.virtual_lid)"' | sort >"$work/taken"
diff "$work/lags" "$work/taken" || fail "virtual LIDs changed"

# It comes back as it was told, by its state; and ends when told.
manager a H00000
wait_for 15 is_in a master || fail "the first is not master again"
wait_for 10 is_in b standby || fail "two masters"
settle a
on a subnet down || fail down
wait_for 10 is_in b master || fail "nobody is master"
kill "${manager_pid[a]}"
wait "${manager_pid[a]}" || fail "the daemon ended with $?"

# The configuration file may ask for it.
mkdir "$work/c"
printf 'subnet:\n  - { priority: 9, engine: updown }\n' >"$work/yaml"
manager c H00004 --config "$work/yaml"
wait_for 10 is_in c master || fail "the configuration's is not master"
settle c
[ "$(sm c .engine)" = updown ] || fail "another engine"
