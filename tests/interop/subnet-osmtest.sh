#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# osmtest, OpenSM's own test of a subnet administrator, and saquery's tables, as
# they come, against ours.  They need RMPP, which causeway-rmpp.so adds to
# ibsim's preload.  Without link aggregation: osmtest holds one pair of LIDs for
# one path, and two ports of a host that aggregates have one LID.
# shows L19
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/interop/fabric-lib.sh
. "$(dirname "$0")/fabric-lib.sh"
need saquery osmtest

build=${CAUSEWAY_BUILD:-$root/build}
preload=$(sed -n 's/^sim_so=//p' "$(command -v ibsim-run)")
[ -f "$preload" ] || { echo "no $preload"; exit 77; }

# rmpp PORT PROGRAM...: there, with RMPP.  osmtest reads memory that it has not
# written, so nobody may fill that for it.
rmpp() {
	local port=$1 code
	shift
	for _ in 1 2 3; do
		code=0
		(cd "$work" && SIM_HOST=$port \
			LD_PRELOAD="$preload:$build/causeway-rmpp.so" \
			exec env -u MALLOC_PERTURB_ timeout 40 "$@") || code=$?
		[ $code = 124 ] || [ $code = 139 ] || break
	done
	return $code
}

start_fabric --make clos:hosts=16,ports=2,radix=8
rmpp_manager() {
	(cd "$work" && SIM_HOST=H00000 \
		LD_PRELOAD="$preload:$build/causeway-rmpp.so" \
		exec "$build/tests/subnet_umad" -n -k) >"$work/sm.log" 2>&1 &
	others+=($!)
}
rmpp_manager
wait_for 30 grep -q 'master: first' "$work/sm.log" || fail "not master"

# 12 switches, 16 hosts of two ports, 64 cables.
rows() { # WHAT QUERY
	rmpp H00003 saquery "$2" >"$work/rows" 2>>"$work/saquery.log" ||
		fail "saquery $2"
	grep -c "^$1 dump" "$work/rows"
}
[ "$(rows NodeRecord NR)" = 44 ] || fail "not 44 NodeRecords"
[ "$(rows LinkRecord LR)" = 128 ] || fail "not 128 LinkRecords"
[ "$(rows PortInfoRecord PIR)" = 140 ] || fail "not 140 PortInfoRecords"
! grep -q undefined "$work/rows" || fail "PortInfoRecords with nonsense"
[ "$(rows PathRecord -p)" = 1936 ] || fail "not a path for each pair"

# Its inventory, what it makes of it, services, and multicast groups.
for flow in c v s m; do
	rmpp H00003 osmtest -f $flow -i "$work/inventory" \
		-l "$work/osmtest-$flow.log" >"$work/osmtest-$flow" 2>&1 ||
		fail "osmtest -f $flow: $(grep ERR "$work/osmtest-$flow.log" |
			tail -n 2)"
	grep -q PASS "$work/osmtest-$flow" || fail "osmtest -f $flow"
done
