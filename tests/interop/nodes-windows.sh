#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Windows by the command line: two nodes over two links, bytes through keys,
# who may do what, leases, counters, revocation, and what a crash keeps.
# shows M23, M24, X5
. "$(dirname "$0")/lib-hosts.sh"

# refused CODE WORDS NODE COMMAND...
refused() {
	local want=$1 words=$2 code=0
	shift 2
	on "$@" >"$work/out" 2>"$work/err" || code=$?
	[ $code -eq "$want" ] ||
		fail "'$*' exits $code, not $want: $(cat "$work/err")"
	cat "$work/out" "$work/err" | says -iE -- "$words" ||
		fail "'$*' does not say '$words': $(cat "$work/err")"
}

# key NODE WINDOW PEER FIELD: of who may reach what there.
key() {
	on "$1" --json window list | jq -r ".windows[] | select(.name == \"$2\") |
		.grants[] | select(.node == \"$3\") | .$4"
}

hosts alpha beta
node alpha
node beta

# One side is told; both know.
refused 3 'no node gamma' alpha node show gamma
on alpha node add beta "$(addresses beta)"
refused 1 'already' alpha node add beta "$(addresses beta)"
refused 2 'this node itself' alpha node add alpha "$(addresses alpha)"
wait_for 10 peer_is alpha beta up || fail "$(on alpha node show beta)"
wait_for 10 peer_is beta alpha up || fail "$(on beta node list)"
[ "$(on alpha --json node show beta | jq -r .transport)" = tcp ]
on alpha node show beta | says 'verbs: ' ||
	fail "it does not say why there is nothing better"
[ "$(links_up alpha beta)" = 2 ] || fail "$(on alpha node show beta)"

# Bytes, from standard input and back.
head -c 20000000 /dev/urandom >"$work/in"
on beta window create spare --size 32M --allow alpha:rw
refused 1 'already' beta window create spare --size 32M
refused 3 'no such|nosuch' alpha window cat beta/nosuch
on alpha window put beta/spare <"$work/in"
on alpha window cat beta/spare --length 20000000 >"$work/out"
cmp "$work/in" "$work/out" || fail "what came out is not what went in"
on alpha window cat beta/spare --offset 12345 --length 1 |
	cmp - <(tail -c +12346 "$work/in" | head -c 1)
on beta window create other --size 32M --file "$work/other.img" \
	--allow alpha:rw
on alpha window cp beta/spare beta/other
head -c 20000000 "$work/other.img" | cmp - "$work/in" || fail "cp"
head -c 40000000 /dev/urandom >"$work/large"
refused 6 'more input than room' alpha window put beta/spare <"$work/large"

# Who reached what is counted.
on beta window list --peers | says 'spare.*alpha.*rw' ||
	fail "$(on beta window list --peers)"
[ "$(key beta spare alpha bytes_written)" -ge 20000000 ]
[ "$(key beta other alpha bytes_written)" -eq $((32 << 20)) ]
[ "$(key beta spare alpha reads)" -gt 0 ]

on alpha top --count 1 | says '^beta .*up' || fail "$(on alpha top --count 1)"

# Rights: the key of a grant allows no more.
on beta window grant spare alpha:ro
refused 5 'allowed|denied|may not' alpha window put beta/spare <"$work/in"
on alpha window cat beta/spare --length 4k | cmp - <(head -c 4096 "$work/large")
on beta window grant spare alpha:wo
refused 5 'allowed|denied|may not' alpha window cat beta/spare
# The other node was granted nothing.
on alpha window create mine --size 1M
refused 5 'allowed|denied|may not|no such' beta window cat alpha/mine

# A lease ends by itself.
on beta window grant spare alpha:rw --lease 2
on alpha window cat beta/spare --length 4k >/dev/null
[ "$(key beta spare alpha lease_ms)" -le 2000 ]
sleep 2.2
! on alpha window cat beta/spare --length 4k >/dev/null 2>&1 ||
	fail "the lease did not end"

# Quotas: 4 MiB at 1 MiB/s take a few seconds.
on beta window grant spare alpha:rw --bytes-per-s 1M
began=$(date +%s%N)
head -c 4M "$work/in" >"$work/four"
on alpha window put beta/spare <"$work/four"
took=$((($(date +%s%N) - began) / 1000000))
# The first second's worth may go at once.
[ $took -ge 1500 ] || fail "4 MiB at 1 MiB/s took $took ms"
[ "$(key beta spare alpha bytes_per_s)" -eq $((1 << 20)) ]
on alpha window cat beta/spare --length 4k | cmp - <(head -c 4096 "$work/in")

# What a command accepted survives a crash; what was revoked stays so.
on beta window grant spare alpha:ro
on beta window revoke other alpha
refused 3 'anyway' beta window revoke other alpha
end_node beta KILL
node beta
[ "$(on beta --json window list | jq -r '[.windows[].name] | sort | join(",")')" \
	= other,spare ] || fail "$(on beta window list)"
[ "$(key beta spare alpha rights)" = ro ]
[ -z "$(key beta other alpha rights)" ] || fail "a revoked grant came back"
wait_for 10 peer_is alpha beta up || fail "beta does not come back"
on alpha window cat beta/spare --length 4k | cmp - <(head -c 4096 /dev/zero)
refused 5 'allowed|denied|may not|no such' alpha window cat beta/other
on beta window grant other alpha:ro
on alpha window cat beta/other --length 20000000 | cmp - "$work/in" ||
	fail "a file's window lost its bytes"
end_node alpha KILL
node alpha
# What it asks first is answered, though beta does not reach it yet.
on alpha window cat beta/other --length 4k >/dev/null
wait_for 10 peer_is alpha beta up || fail "alpha forgot beta"
wait_for 10 peer_is beta alpha up || fail "beta lost alpha"
on beta window remove spare
refused 3 'no such|no window|spare' alpha window cat beta/spare
on alpha node remove beta
# It may call again, as whoever has the key may, but is no business of ours.
! on alpha --json node show beta 2>/dev/null | jq -e .configured >/dev/null ||
	fail "beta was not removed"

# A node with another key is nobody's peer.
(umask 077; head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' \
	>"$work/wrong")
end_node alpha TERM
sed -i "s|$work/key|$work/wrong|" "$work/alpha.yaml"
node alpha
on alpha node add beta "$(addresses beta)"
sleep 1
! peer_is alpha beta up || fail "a wrong key was taken"
refused 4 'beta cannot be reached' alpha status

# Without a key nothing listens and nobody is talked to.
end_node alpha TERM
sed -i '/cluster_key/d' "$work/alpha.yaml"
! timeout 10 ip netns exec "$(space alpha)" causewayd --state "$work/alpha" \
	--config "$work/alpha.yaml" 2>"$work/err" || fail "it listens"
grep -q 'cluster' "$work/err" || fail "$(cat "$work/err")"
sed -i '/listen/d' "$work/alpha.yaml"
node alpha
inside alpha ss -Hltn | says . && fail "something listens"
refused 5 'cluster' alpha node add gamma "$(addresses beta)"

# With a key it has peers, but these cannot answer it.
end_node alpha TERM
echo "cluster_key: $work/key" >>"$work/alpha.yaml"
node alpha
wait_for 10 peer_is alpha beta up || fail "$(on alpha node show beta)"
refused 75 'where this node listens' alpha window cat beta/none --length 1
refused 1 'listens nowhere' alpha doctor

# doctor finds a key that others may read, and a start refuses it.
chmod 644 "$work/key"
refused 1 '0600|mode|read' beta doctor
end_node beta TERM
! timeout 10 ip netns exec "$(space beta)" causewayd --state "$work/beta" \
	--config "$work/beta.yaml" 2>"$work/err" || fail "the key was taken"
grep -qi 'mode\|0600' "$work/err" || fail "$(cat "$work/err")"
