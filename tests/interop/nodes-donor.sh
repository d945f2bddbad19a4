#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Memory that nodes offer, and others borrow: amounts fall and rise, nobody gets
# more than is offered, and what a borrower does not give back comes back by
# itself.  shows S1, S2, S14, S15
. "$(dirname "$0")/lib-hosts.sh"
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests

hosts alpha beta gamma
for name in alpha beta gamma; do
	launch $name
done
for name in alpha beta gamma; do
	ready $name
done
for name in beta gamma; do
	on alpha node add $name "$(addresses $name)" >/dev/null
done
for name in beta gamma; do
	wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
done

# run NODE WORDS...: `causeway run` there, its words in run.log.
run() {
	on "$1" run --local 16M "${@:2}" 2>>"$work/run.log"
}

# begin, with &: the same, $! is the pager itself.
begin() {
	exec causeway --socket "$work/$1/control.sock" run --local 16M \
		"${@:2}" 2>>"$work/run.log"
}

end_run() { # PID SIGNAL
	kill "-$2" "$1"
	{ wait "$1" || true; } 2>/dev/null
}

amount() { # NODE FIELD: of its offer
	on "$1" --json donor list | jq ".$2"
}

has() { # NODE FIELD BYTES
	[ "$(amount "$1" "$2")" = "$3" ]
}

refused() { # PATTERN WORDS...: a run is refused for this reason
	local pattern=$1
	shift
	: >"$work/run.log"
	! run alpha "$@" -- true || fail "not refused: $*"
	says "$pattern" <"$work/run.log" || fail "$* says $(cat "$work/run.log")"
}

M=$((1 << 20))

# Nothing, not to us, not so much, and not more than there is in the machine.
refused 'offers no memory' --donor beta,gamma
on beta donor offer --size 256M >/dev/null
on gamma donor offer --size 256M --allow zeta >/dev/null
refused 'does not lend to this node' --donor beta,gamma
on gamma donor offer --size 256M --allow zeta --allow alpha >/dev/null
refused 'more than the donors have.*256 MiB left' --donor beta,gamma --far 300M
refused 'on each of 2 nodes' --donor beta,beta
refused 'is this one' --donor alpha,beta
! on beta donor offer --size 1000T 2>/dev/null || fail "more than it has"
has beta free $((256 * M)) || fail "what was refused is lent"

# Borrowed for as long as the program runs; by default 4 x --local.
on gamma donor offer --size 256M >/dev/null
begin alpha --deadline 20000 --donor beta,gamma -- \
	"$tests/far_hammer" until "$work/first-end" &
program=$!
wait_for 10 has gamma lent $((64 * M)) || fail "$(on gamma donor list)"
has beta lent $((64 * M)) || fail "$(on beta donor list)"
has beta free $((192 * M)) || fail "$(on beta donor list)"
on beta donor list | says 'alpha .*64M .*lent' || fail "$(on beta donor list)"
# At the same time beta borrows itself, of gamma.
on beta node add gamma "$(addresses gamma)" >/dev/null
wait_for 10 peer_is beta gamma up || fail "$(on beta node list)"
run beta --deadline 20000 --donor gamma --copies 1 -- "$tests/far_hammer" threads 1000 ||
	fail "beta as a borrower"
touch "$work/first-end"
wait $program || fail "over beta and gamma"
for name in beta gamma; do
	wait_for 5 has $name free $((256 * M)) || fail "$(on $name donor list)"
done

# The borrower's daemon dies and comes back, and ends and comes back: the
# program goes on with what it has, and it is renewed and given back.
on beta donor offer --size 256M --lease 40 >/dev/null
begin alpha --deadline 20000 --donor beta,gamma -- \
	"$tests/far_hammer" until "$work/end" &
program=$!
wait_for 10 has gamma lent $((64 * M)) || fail "$(on gamma donor list)"
for signal in KILL TERM; do
	end_node alpha $signal
	has beta lent $((64 * M)) || fail "$(on beta donor list)"
	node alpha
	for name in beta gamma; do
		wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
	done
	wait_for 10 has_written alpha gamma 1 || fail "it does not go on"
done
touch "$work/end"
wait $program || fail "the daemon's end reached the program"
for name in beta gamma; do
	wait_for 5 has $name lent 0 || fail "$(on $name donor list)"
done

# A borrower that is killed has no more.
begin alpha --donor beta,gamma --far 128M -- sleep 60 &
program=$!
wait_for 10 has gamma lent $((128 * M)) || fail "$(on gamma donor list)"
end_run $program KILL
for name in beta gamma; do
	wait_for 5 has $name lent 0 || fail "$(on $name donor list)"
done

# Neither has a host that is there no more, when its lease is over; until then
# it is renewed.
on beta donor offer --size 256M --lease 2 >/dev/null
begin alpha --donor beta --copies 1 -- sleep 60 &
program=$!
wait_for 10 has beta lent $((64 * M)) || fail "$(on beta donor list)"
sleep 3
has beta lent $((64 * M)) || fail "it was not renewed"
link_down alpha 0
link_down alpha 1
end_run $program KILL
end_node alpha KILL
wait_for 6 has beta lent 0 || fail "$(on beta donor list)"

# The offer outlives the donor's daemon, the loans do not.
end_node beta TERM
node beta
has beta offered $((256 * M)) || fail "$(on beta donor list)"
has beta lent 0 || fail "$(on beta donor list)"
[ "$(amount beta lease_s)" = 2 ] || fail "$(on beta --json donor list)"
on beta donor withdraw >/dev/null
end_node beta KILL
node beta
has beta offered 0 || fail "$(on beta donor list)"
