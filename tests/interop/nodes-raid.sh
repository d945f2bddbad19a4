#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A volume whose RAID spans three hosts, from one configuration: a link is
# taken down in the middle of a copy, a grant is revoked, a host dies.
# shows V29, L20, X1, X3, X5
. "$(dirname "$0")/lib-hosts.sh"
need nbdcopy

hosts alpha beta gamma
# Three hosts from one file.
cat >"$work/all.yaml" <<END
cluster_key: $work/key
listen: ["*:$port"]
peers:
$(for name in alpha beta gamma; do
	echo "  - { name: $name, addresses:"
	echo "      [\"$(address $name 0):$port\", \"$(address $name 1):$port\"] }"
done)
windows:
  - { name: disk1, size: 96M, allow: ["alpha:rw"] }
  - { name: disk2, size: 96M, allow: ["alpha:rw"] }
END
for name in alpha beta gamma; do
	ln "$work/all.yaml" "$work/$name.yaml"
	node $name
done

state=$work/alpha # cw, status and volume mean alpha from here on
for name in beta gamma; do
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
	for i in 1 2; do
		cw drive add "$name$i" "remote:$name/disk$i"
	done
done
cw drive add own "file:$work/own.img,size=96M"
cw pool create tank beta1 beta2 gamma1 gamma2 own
volume tank/home 128M raid5
files 100M "$work/in"

nbdcopy --flush "$work/in" "$uri" &
copy=$!
wait_for 60 has_written alpha beta $((8 << 20)) || fail "no copy"
link_down alpha 0
kill -0 $copy 2>/dev/null || fail "the copy was over too soon"
wait $copy || fail "the copy met an error"
[ "$(links_up alpha beta)" = 1 ] || fail "$(on alpha node show beta)"
nbdcopy "$uri" "$work/out"
cmp -n 100M "$work/in" "$work/out" || fail "link down: other bytes"
[ "$(cw --json pool show tank | jq -r .state)" = online ] ||
	fail "the pool noticed a link"
code=0
cw status >"$work/status" || code=$?
[ $code = 4 ] || fail "status exits $code, not 4"
grep -q 'link .* to node beta is' "$work/status" || fail "$(cat "$work/status")"
link_up alpha 0
both_up() {
	[ "$(links_up alpha beta)" = 2 ] && [ "$(links_up alpha gamma)" = 2 ]
}
wait_for 15 both_up || fail "the link is not taken back"

# X1: one grant revoked stops what it guarded, and only that.
on gamma window revoke disk2 alpha
nbdcopy --flush "$work/in" "$uri" || fail "a revoked drive is an error"
[ "$(drive_state gamma2)" = failed ] || fail "$(cw drive list)"
for drive in beta1 beta2 gamma1 own; do
	[ "$(drive_state $drive)" = online ] || fail "$(cw drive list)"
done
nbdcopy "$uri" "$work/out"
cmp -n 100M "$work/in" "$work/out" || fail "revoked: other bytes"
