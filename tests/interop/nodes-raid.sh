#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A volume whose RAID spans three hosts, from one configuration: a link is
# taken down in the middle of a copy, a grant is revoked, a host dies.
# shows V29, L20, X1, X3, X5
. "$(dirname "$0")/lib-hosts.sh"
need nbdcopy

need tc
hosts alpha beta gamma
# Three hosts from one file.
cat >"$work/all.yaml" <<END
cluster_key: $work/key
cores: 2
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
for i in 1 2; do
	for name in beta gamma; do
		wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
		cw drive add "$name$i" "remote:$name/disk$i"
	done
	cw drive add "own$i" "file:$work/own$i.img,size=96M"
	cw pool create "tank$i" "beta$i" "gamma$i" "own$i"
	volume "tank$i/home" 128M raid5
done
files 60M "$work/in"

# same POOL WHEN: what is in its volume is what went in.
same() {
	nbdcopy "$(uri_of "$1/home")" "$work/out" || fail "$2: an error"
	cmp -n 60M "$work/in" "$work/out" || fail "$2: other bytes"
}

pool_is() { # POOL STATE
	[ "$(cw --json pool show "$1" | jq -r .state)" = "$2" ]
}

# X3, L20: a link goes in the middle of a copy, and nobody above notices.
shape alpha 300
nbdcopy --flush "$work/in" "$(uri_of tank1/home)" &
copy=$!
wait_for 60 has_written alpha beta $((8 << 20)) || fail "no copy"
link_down alpha 0
kill -0 $copy 2>/dev/null || fail "the copy was over too soon"
wait $copy || fail "the copy met an error"
[ "$(links_up alpha beta)" = 1 ] || fail "$(on alpha node show beta)"
same tank1 "a link is down"
pool_is tank1 online || fail "the pool noticed a link"
code=0
cw status >"$work/status" || code=$?
[ $code = 4 ] || fail "status exits $code, not 4"
grep -q 'link .* to node beta is' "$work/status" || fail "$(cat "$work/status")"
link_up alpha 0
both_up() {
	[ "$(links_up alpha beta)" = 2 ] && [ "$(links_up alpha gamma)" = 2 ]
}
wait_for 15 both_up || fail "the link is not taken back"

# The drives are there again after a crash, whoever starts first.
end_node alpha KILL
node alpha
pool_is tank1 online || fail "after a crash: $(cw drive list)"
pool_is tank2 online || fail "after a crash: $(cw drive list)"
same tank1 "after a crash"

# X1: one grant is revoked; what it guarded stops, and only that.
nbdcopy --flush "$work/in" "$(uri_of tank2/home)"
on gamma window revoke disk2 alpha
same tank2 "a grant is revoked"
nbdcopy --flush "$work/in" "$(uri_of tank2/home)" || fail "a write is an error"
[ "$(drive_state gamma2)" = failed ] || fail "$(cw drive list)"
pool_is tank2 degraded || fail "$(cw pool list)"
pool_is tank1 online || fail "another grant's pool: $(cw pool list)"

# A host dies: the RAID has one drive less.
end_node gamma KILL
same tank1 "a host is dead"
nbdcopy --flush "$work/in" "$(uri_of tank1/home)" || fail "a write is an error"
same tank1 "written without a host"
pool_is tank1 degraded || fail "$(cw pool list)"
wait_for 10 peer_is alpha gamma lost || fail "$(on alpha node list)"
