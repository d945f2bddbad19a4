#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Our subnet manager on a stock ibsim, which knows none of our attributes: a
# plain subnet manager for plain hardware.  Its judges are the
# infiniband-diags, and ibsim itself, which routes by the tables it was given.
# shows L1, L16, L19
# shellcheck source=tests/interop/ib-lib.sh
. "$(dirname "$0")/ib-lib.sh"
need_ibsim
need ibroute ibtracert sminfo ibping saquery iblinkinfo opensm jq
# shellcheck source=tests/interop/subnet-lib.sh
. "$(dirname "$0")/subnet-lib.sh"

# tool PROGRAM...: at H00003.  On a busy machine some programs crash under
# ibsim's preload before they have done anything, or wait for ever; these are
# tried again.  What ibsim cannot deliver it says at once, so that is neither.
tool() {
	local status=139
	for _ in 1 2 3 4; do
		[ $status = 139 ] || [ $status = 124 ] || break
		status=0
		sim_seconds=10 sim H00003 "$@" >"$work/tool.out" 2>>"$work/tool.log" ||
			status=$?
	done
	cat "$work/tool.out"
	return $status
}

causeway-fabric --make clos:hosts=16,ports=2,radix=8 --print >"$work/net"
start_ibsim "$work/net"
manager a H00000
on a subnet up || fail up
settle a

# All ports that have a cable are active, each with a LID of its own.
tool iblinkinfo >"$work/links" 2>/dev/null
[ "$(grep -c 'Active/  *LinkUp' "$work/links")" -gt 0 ] || fail "none active"
! grep -E 'Initialize|Armed' "$work/links" || fail "a port is not active"
nodes=$(tool ibnetdiscover 2>/dev/null | grep -cE '^(Switch|Ca)')
[ "$(sm a .nodes)" = "$nodes" ] || fail "not $nodes nodes"
[ "$(on a --json subnet lag list |
	jq '[.lags[] | select(.state == "in force")] | length')" = 0 ] ||
	fail "stock hosts are aggregated"

# Whoever asks is answered: sminfo, PathRecord, and every host is reached.
lid() {
	on a --json subnet nodes | jq ".nodes[] | select(.node == \"$1\") | .lid"
}
tool sminfo | says 'SMINFO_MASTER' || fail "sminfo"
tool saquery --src-to-dst "$(lid H00003):$(lid H00011)" 2>/dev/null |
	grep -qi 'dlid\.*.*'"$(lid H00011)" || fail "no PathRecord"
for host in H00001 H00007 H00015; do
	tool smpquery nodedesc "$(lid $host)" | says "$host" ||
		fail "$host is not reached by its LID"
	hops=$(on a --json subnet explain H00003 $host | jq '.hops | length')
	traced=$(tool ibtracert "$(lid H00003)" "$(lid $host)" |
		grep -c -- '->')
	[ $((traced + 1)) = "$hops" ] || fail "$hops hops, ibtracert $traced"
done

# A link is cut and comes back.
links=$(sm a .links)
ibsim_tell 'Unlink "L0000"[5]'
wait_for 15 has_links a $((links - 1)) || fail "a cut link is not missed"
for host in H00001 H00007 H00015; do
	tool smpquery nodedesc "$(lid $host)" | says "$host" ||
		fail "$host is not reached after a cut"
done
ibsim_tell 'Relink "L0000"[5]'
wait_for 15 has_links a "$links" || fail "it is not found again"

# OpenSM sweeps in between, and ours comes back: LIDs stay.
lids() {
	on a --json subnet nodes | jq -r '.nodes[] | "\(.guid) \(.lid)"' | sort
}
lids >"$work/lids"
on a subnet down || fail down
sim_sweep H00002
on a subnet up || fail "up again"
settle a
lids >"$work/again"
diff "$work/lids" "$work/again" || fail "LIDs changed"
on a subnet down || fail down
