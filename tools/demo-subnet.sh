#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tools/dev demo subnet: 36 hosts with two ports each, on a fabric in software.
#
# Two daemons run subnet managers, one of them as a standby.  100 flows of
# packets go to virtual LIDs, all the time.  A host's link is cut, a link
# between switches, a leaf switch loses its power, the master manager is
# killed and a link is cut before anybody takes over.  Each time every flow must
# go on, in order, and once the fabric is mended nothing more may be lost.
here=$(cd "$(dirname "$0")/../tests/interop" && pwd)
# shellcheck source=../tests/interop/lib.sh
. "$here/lib.sh"
# shellcheck source=../tests/interop/fabric-lib.sh
. "$here/fabric-lib.sh"
# shellcheck source=../tests/interop/subnet-lib.sh
. "$here/subnet-lib.sh"
need jq

began=$(date +%s.%N)
say() {
	printf '%5.1f s  %s\n' "$(awk -v a="$began" -v b="$(date +%s.%N)" \
		'BEGIN { printf "%.2f", b - a }')" "$*"
}

# count NAME...: the sum of these counters of packets.
count() {
	fabric flows | awk -v "names=$*" '
		BEGIN { split(names, n); for (i in n) wanted[n[i]] = 1 }
		$1 in wanted { sum += $2 }
		END { print sum + 0 }'
}

reasons=(lost_link lost_no_route lost_group lost_stalled lost_hops lost_refused)

# The lines of standard input, then packets move all the time: 20 ticks, a
# moment for everybody else, 20 ticks.
traffic() {
	exec python3 -c '
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def say(line):
    s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1,
                          "method": "fabric.console",
                          "params": {"line": line}}).encode())
    answer = s.recv(4096)
    if b"error" in answer:
        sys.exit(answer)
    return answer
for line in sys.stdin:
    say(line.strip())
while say("run 20"):
    time.sleep(0.002)
' "$work/control"
}

# every_flow_goes_on: and nothing is lost while it is looked at.
every_flow_goes_on() {
	local before after silent
	before=$(count "${reasons[@]}")
	fabric each >"$work/each.1"
	sleep 0.5
	fabric each >"$work/each.2"
	after=$(count "${reasons[@]}")
	silent=$(join -j 1 <(cut -d' ' -f1,5 "$work/each.1" | sort) \
		<(cut -d' ' -f1,5 "$work/each.2" | sort) |
		awk '$3 <= $2' | wc -l)
	[ "$(wc -l <"$work/each.2")" = 100 ] || fail "not 100 flows"
	[ "$silent" = 0 ] || fail "$silent flows are lost"
	[ "$before" = "$after" ] ||
		fail "$((after - before)) packets are lost in a mended fabric"
}

# mended MANAGER LINKS WHAT: once that manager has done so.
mended() {
	wait_for 20 has_links "$1" "$2" || fail "$1 does not see $2 links: $(
		sm "$1" .links)"
	every_flow_goes_on
	say "$3: 100 of 100 flows go on; lost so far $(count lost_link) in" \
		"flight, $(count "${reasons[@]:1}") until it was mended;" \
		"$(count reordered) out of order"
}

lags() { # MANAGER
	on "$1" --json subnet lag list |
		jq -r '.lags[] | "\(.host) \(.virtual_lid) \(.state)"' | sort
}

start_fabric --make clos:hosts=36,ports=2,radix=36
manager first H00000
manager second H00019
on first subnet up --priority 5 >/dev/null
settle first
on second subnet up >/dev/null
wait_for 10 is_in second standby || fail "no standby"
lags first >"$work/lags"
[ "$(grep -c 'in force' "$work/lags")" = 36 ] || fail "not 36 virtual LIDs"
links=$(sm first .links)
say "36 hosts, $(sm first .switches) switches, $links links; master at" \
	"H00000, standby at H00019; the first pass took" \
	"$(($(sm first .first_pass_ns) / 1000000)) ms"

mapfile -t virtual < <(cut -d' ' -f2 "$work/lags")
for ((i = 0; i < 100; i++)); do
	from=$((i % 36))
	printf 'flow H%05d %d\n' $from \
		"${virtual[$(((from + 1 + i * 7 % 35) % 36))]}"
done >"$work/flows"
traffic <"$work/flows" &
others+=($!)
there_are_100() {
	[ "$(fabric each | wc -l)" = 100 ]
}
wait_for 10 there_are_100 || fail "no flows"
every_flow_goes_on
[ "$(count "${reasons[@]}")" = 0 ] || fail "packets are lost in peace"
say "100 flows to virtual LIDs: all arrive"

fabric cut H00007:1
mended first $((links - 1)) "a host's link is cut"
fabric cut 'L0000[19]'
mended first $((links - 2)) "a link between switches is cut"
down=$(fabric ports L0003 | grep -c ' to ')
fabric off L0003
mended first $((links - 2 - down)) "a leaf switch is off, $down links with it"

kill -9 "${manager_pid[first]}"
wait "${manager_pid[first]}" 2>/dev/null || true
fabric cut H00009:2
killed=$(date +%s%N)
wait_for 10 is_in second master || fail "nobody has taken over"
took=$((($(date +%s%N) - killed) / 1000000))
mended second $((links - 3 - down)) \
	"the master is killed and a link cut; taken over after $took ms"
lags second >"$work/now"
diff "$work/lags" "$work/now" || fail "virtual LIDs have changed"

fabric on L0003
for port in H00007:1 'L0000[19]' H00009:2; do
	fabric restore "$port"
done
mended second "$links" "all is restored, by the second manager"

# What is on its way arrives, and the books are balanced.
fabric pause
is_drained() {
	[ "$(count in_flight)" = 0 ]
}
wait_for 10 is_drained || fail "packets do not arrive"
sent=$(count sent)
received=$(count received)
gone=$(count "${reasons[@]}")
[ "$sent" = $((received + gone)) ] || fail "$sent sent, $received received"
[ "$(count reordered)" = 0 ] || fail "$(count reordered) came out of order"
[ "$(count duplicated)" = 0 ] || fail "$(count duplicated) came twice"
[ "$(count lost_hops lost_stalled lost_refused)" = 0 ] || fail "a loop"
say "$sent packets sent, $received received in order, $(count lost_link) lost" \
	"in flight, $(count lost_no_route lost_group) before the mending;" \
	"0 of 100 flows lost"
