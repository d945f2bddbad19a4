#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What ibsim cannot do: more than ten clients, clients that are killed,
# timeouts, datagrams that get lost; and ibsim reads the nets that we write.
# shows L2
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fabric-lib.sh"
need sminfo smpquery

start_fabric --make clos:hosts=16,ports=2,radix=8 --timeout-ms 100 --tries 8
start_opensm H00000

# Thirty at once, each with all the answers.
pids=()
for i in $(seq 30); do
	at "H000$(printf %02d $((i % 16)))" ibnetdiscover >"found$i" &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || fail "one of thirty clients"
done
for i in $(seq 30); do
	[ "$(grep -c '^Ca' "found$i")" = 16 ] || fail "client $i found less"
done

clients() {
	counter clients
}
clients_are() {
	[ "$(clients)" = "$1" ]
}

# Killed ones leave their places.
wait_for 20 clients_are 1 || fail "$(clients) clients, one is there"
for i in $(seq 20); do
	SIM_HOST=H00005 ibsim-run ibping -S >/dev/null 2>&1 &
	pids[i]=$!
	others+=("$!")
done
wait_for 30 clients_are 21 || fail "$(clients) clients, not 21"
for i in $(seq 20); do
	kill -KILL "${pids[i]}"
done
wait_for 20 clients_are 1 || fail "killed clients are still there"
[ "$(counter clients_died)" -ge 20 ] || fail "clients_died"

# An SM on another host that falls silent: OpenSM asks it, and does not wait
# for ever.
mkdir other
OSM_CACHE_DIR=$work/other OSM_TMP_DIR=$work/other start_at H00009 \
	opensm -d2 -f "$work/other/osm.log" -D 0x03
silent=$started
wait_for 30 grep -q 'Entering STANDBY' other/osm.log || fail "no standby"
kill -STOP "$silent"
ups=$(grep -c 'SUBNET UP' "$work/osm.log")
fabric cut 'H00012:1'
wait_for 60 subnet_is_up $((ups + 1)) || fail "OpenSM hangs"
kill -KILL "$silent"

# One datagram in ten is lost: tools do not notice.
fabric loss 100000 10000
for _ in 1 2 3 4 5; do
	[ "$(at H00003 ibnetdiscover | grep -c '^Ca')" = 16 ] ||
		fail "a loss of 10 % was noticed"
done
[ "$(counter client_mads_retried)" -gt 0 ] || fail "nothing was sent again"
fabric loss 0

# A request to nobody comes back in about 800 ms.
start=$(date +%s%N)
! at H00003 smpquery nodeinfo 4000 2>/dev/null || fail "LID 4000 answers"
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 20000 ] || fail "a request without answer took $took ms"

# The same net in ibsim.
need ibsim
causeway-fabric --make clos:hosts=36,ports=2,radix=36 --print >net
export IBSIM_SOCKNAME=cwsim$$
mkfifo con
exec 4<>con
ibsim -s -f ibsim.log net <&4 >/dev/null 2>&1 &
others+=("$!")
wait_for 20 grep -q 'Network simulator ready' ibsim.log || fail "ibsim"
[ "$(at H00003 ibnetdiscover | grep -cE '^(Ca|Switch)')" = 42 ] ||
	fail "ibsim does not read the net that we write"
