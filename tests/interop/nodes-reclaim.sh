#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Donors that take their memory back, or are cut off, under a program that
# checks each value that it reads: blocks move first, and what lost a copy gets
# another one.  shows S14, S18, S19, X4
. "$(dirname "$0")/lib-hammer.sh"
need nft
M=$((1 << 20))

hosts alpha beta gamma delta
for name in alpha beta gamma delta; do
	launch $name
done
for name in alpha beta gamma delta; do
	ready $name
done
for name in beta gamma delta; do
	on $name donor offer --size 128M >/dev/null
	on alpha node add $name "$(addresses $name)" >/dev/null
done
for name in beta gamma delta; do
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
done

patient=(--deadline 20000) # a donor that is slow, since the machine is, is well

# Three donors, each with a part; one takes its memory back: the others have
# room, and nothing is lost or stays there.
begin "${patient[@]}" --donor beta,gamma,delta
lent gamma $((48 * M)) || fail "$(on gamma donor list)"
on beta donor withdraw --within 30 | says '48M are lent' || fail "nothing lent"
said 'donor beta takes back 48 MiB'
said 'donor beta has its memory back'
lent beta 0 || fail "$(on beta donor list)"
finish
! says 'fails' <"$work/run.log" || fail "$(cat "$work/run.log")"

# Nobody has room: the other copy serves alone, and when there is room again
# there are two.
begin "${patient[@]}" --donor gamma,delta
on gamma donor withdraw --within 30 >/dev/null
said 'no other donor has room'
said 'donor gamma has its memory back'
lent gamma 0 || fail "$(on gamma donor list)"
on gamma donor offer --size 128M >/dev/null
said 'all pages have all their copies again'
lent gamma $((64 * M)) || fail "$(on gamma donor list)"
finish

# The only copy, and nobody has room: it comes home.
begin "${patient[@]}" --donor gamma --copies 1
on gamma donor withdraw --within 30 >/dev/null
said 'donor gamma has its memory back'
lent gamma 0 || fail "$(on gamma donor list)"
finish

# A loan that is not given back in time is taken.
on beta donor offer --size 128M >/dev/null
begin "${patient[@]}" --donor beta,delta
kill -STOP $program
on beta donor withdraw --within 1 >/dev/null
wait_for 5 lent beta 0 || fail "$(on beta donor list)"
kill -CONT $program
# It hears of that at once, or finds out.
said 'donor beta \(fails\|has its memory back\)'
finish

# A black hole: packets of a donor vanish.  Its copies are made again on
# another one, so that the next death costs nothing either.
on beta donor offer --size 128M >/dev/null
on gamma donor offer --size 128M >/dev/null
begin --deadline 3000 --donor beta,gamma,delta
inside beta nft -f - <<-END
	table inet hole {
		chain in { type filter hook input priority 0; policy drop; }
		chain out { type filter hook output priority 0; policy drop; }
	}
END
said 'donor beta fails'
said 'all pages have all their copies again'
end_node gamma KILL
said 'donor gamma fails'
finish
# 1 s at most for 99 faults in 100.
p99=$(sed -n 's/.*p99 \([0-9]*\) us.*/\1/p' "$work/run.log")
[ "$p99" -lt 1000000 ] || fail "faults took $p99 us"
