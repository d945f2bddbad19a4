#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A program at a quarter of its memory over two donors: one dies, then the
# borrower's own daemon is killed and comes back; every value is right.  With
# one copy the donor's death ends that program alone, with a reason.
# shows S2, S5, S6, S14, S15, S18, S22, L20, X1
. "$(dirname "$0")/lib-hosts.sh"
need curl
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests

hosts alpha beta gamma
for name in alpha beta gamma; do
	node $name --metrics "unix:$work/$name.metrics"
done
for name in beta gamma; do
	on alpha node add $name "$(addresses $name)" >/dev/null
	on $name window create far --size 96M --allow alpha:rw >/dev/null
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
done
# Alpha lends memory too.
on alpha window create far --size 96M --allow beta:rw >/dev/null

all_links_up() {
	[ "$(links_up alpha beta)" = 2 ] && [ "$(links_up alpha gamma)" = 2 ]
}

# far WORDS-OF-RUN...: a program on alpha; what is said goes to run.log.
far() {
	on alpha run "$@" 2>>"$work/run.log"
}

# Each of its links is cut in turn meanwhile, and nobody need notice.
far --local 16M --donor beta/far,gamma/far -- "$tests/far_hammer" threads 60000 &
program=$!
for i in 0 1 0; do
	link_down alpha $i
	sleep 0.5
	link_up alpha $i
	wait_for 10 all_links_up || fail "a link does not come back"
done
jobs -rp | says "^$program$" || fail "it ended before the last cut"
wait $program || fail "two donors, links cut"
grep -q 'fails' "$work/run.log" && fail "a cut link took a donor along"
grep -q 'pages left' "$work/run.log" || fail "nothing left"
for name in beta gamma; do
	has_written alpha $name $((16 << 20)) || fail "$name was not used"
done

# Nobody without the key, and no donor that is not asked for more than it has.
far --local 16M --donor beta/far,gamma/none -- true && fail "no such window"
grep -q 'gamma/none' "$work/run.log" || fail "no reason"
far --local 16M --donor beta/far -- true && fail "one donor, two copies"
grep -q 'copies 1' "$work/run.log" || fail "no advice"

# A borrower that is a donor, at the same time.
on beta node add alpha "$(addresses alpha)" >/dev/null
wait_for 10 peer_is beta alpha up || fail "beta does not reach alpha"
on beta run --local 16M --donor alpha/far --copies 1 -- \
	"$tests/far_hammer" same 2>>"$work/run.log" &
other=$!
far --local 16M --donor beta/far,gamma/far -- "$tests/far_hammer" same ||
	fail "beside another"
wait $other || fail "beta as a borrower"

# What the operator sees of a program, while it runs and not any more after.
program_is() { # FILTER
	on alpha --json status | jq -e ".programs[0] | $1" >/dev/null
}
no_program() {
	on alpha --json status | jq -e '.programs == []' >/dev/null
}
far --local 16M --donor beta/far,gamma/far -- "$tests/far_hammer" threads 60000 &
program=$!
wait_for 30 program_is '.away > 20000000 and .resident < 20000000 and
	.read > 100 and .processes == 1 and .donors == "beta/far,gamma/far"' ||
	fail "$(on alpha --json status | jq .programs)"
on alpha top --count 1 | says 'far_hammer.*[0-9] us.*beta/far,gamma/far' ||
	fail "top: $(on alpha top --count 1)"
curl -sSf --unix-socket "$work/alpha.metrics" http://localhost/metrics |
	says '^causeway_far_pages_left_total{program=".*far_hammer"' ||
	fail "no metrics"
on alpha doctor | says 'causeway run' && fail "$(on alpha doctor)"
wait $program || fail "while it is looked at"
wait_for 10 no_program || fail "it has not gone"

# The daemon of the borrower is killed and comes back.
far --local 16M --donor beta/far,gamma/far -- "$tests/far_hammer" threads 30000 &
program=$!
sleep 1
end_node alpha KILL
node alpha
wait $program || fail "the daemon's death reached the program"

# A donor is killed: the other one has it all.
for name in beta gamma; do
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
done
far --local 16M --donor beta/far,gamma/far -- "$tests/far_hammer" threads 30000 &
program=$!
sleep 1
end_node gamma KILL
wait $program || fail "a donor's death reached the program"
grep -q 'donor gamma/far fails' "$work/run.log" || fail "nobody was told"

# One copy, when much is away: that program ends, and it is said why.
written=$(on alpha --json node show beta | jq .bytes_written)
far --local 16M --donor beta/far --copies 1 -- "$tests/far_hammer" threads &
program=$!
wait_for 60 has_written alpha beta $((written + (64 << 20))) || fail "no writes"
end_node beta KILL
began=$SECONDS
code=0
wait $program || code=$?
[ $code = 137 ] || fail "exit code $code"
[ $((SECONDS - began)) -le 5 ] || fail "it took too long"
grep -q 'had to be killed: a page could not be read back' "$work/run.log" ||
	fail "no reason"
