#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# RAID 5 over donors, under a program that checks each value that it reads: one
# takes its memory back, one dies and its part is made again elsewhere, so that
# another one may die; one lies.  shows S14, S18, S19, S21, X4
. "$(dirname "$0")/lib-hammer.sh"
M=$((1 << 20))
donors=(beta gamma delta epsilon)

hosts alpha "${donors[@]}"
for name in alpha "${donors[@]}"; do
	launch "$name"
done
for name in alpha "${donors[@]}"; do
	ready "$name"
done
for name in "${donors[@]}"; do
	on "$name" donor offer --size 64M >/dev/null
	on alpha node add "$name" "$(addresses "$name")" >/dev/null
done
for name in "${donors[@]}"; do
	wait_for 10 peer_is alpha "$name" up || fail "$(on alpha node list)"
done

on alpha run --local 28M --raid raid5 --donor beta,gamma -- true 2>"$work/run.log" &&
	fail "raid5 over two"
grep -q 'raid5 takes 3 nodes' "$work/run.log" || fail "no reason"

# A half more than the pages take, not twice as much.
begin --deadline 20000 --raid raid5 --donor beta,gamma,delta
for name in beta gamma delta; do
	lent "$name" $((32 * M)) || fail "$(on "$name" donor list)"
done
finish

# It moves before its owner has it back.
begin_far beta --deadline 20000 --raid raid5 --donor beta,gamma,delta,epsilon
on beta donor withdraw --within 30 >/dev/null
said 'donor beta has its memory back'
lent beta 0 || fail "$(on beta donor list)"
finish
! says 'fails' <"$work/run.log" || fail "$(cat "$work/run.log")"

# Two deaths, one after the other.
on beta donor offer --size 64M >/dev/null
begin_far gamma --deadline 3000 --raid raid5 --donor beta,gamma,delta,epsilon
end_node beta KILL
said 'donor beta fails'
said 'all pages can lose a donor again'
end_node gamma KILL
said 'donor gamma fails'
finish

# Who is a window's, and what is in it, can be changed here.
for name in beta gamma; do
	launch "$name"
done
for name in beta gamma; do
	ready "$name"
done
for name in beta gamma delta; do
	on "$name" window create far --size 64M --file "$work/$name.memory" \
		--allow alpha:rw >/dev/null
	wait_for 10 peer_is alpha "$name" up || fail "$(on alpha node list)"
done
begin_far delta --raid raid5 --donor beta/far,gamma/far,delta/far
dd if=/dev/urandom of="$work/delta.memory" bs=1M count=64 conv=notrunc status=none
said 'donor delta/far fails (other bytes come back'
finish
! says 'beta\|gamma' <"$work/run.log" || fail "$(cat "$work/run.log")"
