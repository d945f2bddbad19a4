#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that nobody here wrote look at what our subnet manager has set up,
# and ask it.  The preload has no RMPP, so tables are left to unit tests.
# shows L7, L19
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fabric-lib.sh"
need saquery iblinkinfo ibtracert ibroute sminfo

sm=${CAUSEWAY_BUILD:-$root/build}/tests/subnet_umad

lid_of_switch() {
	at H00003 ibswitches | sed -n '1s/.* lid \([0-9]*\) .*/\1/p'
}

start_fabric --make clos:hosts=36,ports=2,radix=12
start_at H00000 "$sm" -k
wait_for 30 grep -q 'master: first' "$work/subnet_umad.log" ||
	fail "ours is not master"

[ "$(at H00003 ibnetdiscover | grep -cE '^(Switch|Ca)')" = 54 ] ||
	fail "ibnetdiscover: nodes are missing"
at H00003 iblinkinfo >links
[ "$(grep -c Active links)" -ge 144 ] || fail "iblinkinfo: links are missing"
[ "$(grep -c Init links)" = 0 ] || fail "iblinkinfo: links are not active"
from=$(lid_of H00003 | head -n 1)
to=$(lid_of H00030 | head -n 1)
at H00003 ibtracert "$from" "$to" >trace || fail "ibtracert"
grep -q 'To ca' trace || fail "ibtracert does not arrive"
at H00003 saquery --src-to-dst "$from:$to" >path || fail "saquery path"
[ "$(sed -n 's/.*dlid\.*//p' path | head -n 1)" = "$to" ] ||
	fail "the path to LID $to has another"

# By GID, a host that aggregates is known by its virtual LID.
gid_of() { # PORT
	at "$1" ibstat | sed -n 's/.*Port GUID: 0x\(....\)\(....\)\(....\)\(....\)/fe80::\1:\2:\3:\4/p' |
		head -n 1
}
at H00003 saquery PR --sgid "$(gid_of H00003)" --dgid "$(gid_of H00030)" \
	>path || fail "saquery path by GID"
dlid=$(sed -n 's/.*dlid\.*//p' path | head -n 1)
[ "$dlid" -ge 16384 ] || fail "the path's LID $dlid is no virtual one"
at H00003 saquery NR "$to" >node || fail "saquery NodeRecord"
grep -q H00030 node || fail "saquery: LID $to is H00030's"
at H00003 ibroute "$(lid_of_switch)" >routes || fail "ibroute"
grep -q "0x$(printf %04x "$dlid") " routes ||
	fail "no entry for virtual LID $dlid"
