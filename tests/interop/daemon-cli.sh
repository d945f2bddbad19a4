#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The command line as an operator meets it: exit codes, errors that name what
# was wrong, JSON that a program can use, and a configuration file.
# shows X5 (one daemon, one configuration, one CLI)
. "$(dirname "$0")/lib.sh"
need jq

# refused CODE WORDS COMMAND...: it exits so, and its error has these words.
refused() {
	local want=$1 words=$2 code=0
	shift 2
	cw "$@" >"$work/out" 2>"$work/err" || code=$?
	[ $code -eq "$want" ] ||
		fail "'$*' exits $code, not $want: $(cat "$work/err")"
	cat "$work/out" "$work/err" | says -iE -- "$words" ||
		fail "'$*' does not say '$words': $(cat "$work/err")"
}

start_daemon
refused 2 'nonsense' nonsense
refused 2 'usage|size' volume create tank/v
refused 2 'size|banana' volume create tank/v --size banana
refused 3 'tank' volume create tank/v --size 1G
refused 3 'nodrive' drive fail nodrive
refused 3 'nodrive' pool create tank nodrive
refused 3 'tank/v' export create nbd tank/v --unix "$work/v.sock"

for i in 1 2 3; do
	cw drive add "d$i" ram:64M >/dev/null
done
refused 1 'd1' drive add d1 ram:64M
cw pool create tank d1 d2 >/dev/null
refused 2 'raid5 needs 3 drives' volume create tank/v --size 1G --raid raid5
refused 2 'raid7|raid5' volume create tank/v --size 1G --raid raid7
cw volume create tank/v --size 1G --raid raid1 >/dev/null
refused 1 'already' volume create tank/v --size 1G --raid raid1
refused 1 'tank|use' drive remove d1
refused 1 'd1|pool' pool create other d1 d3
refused 2 'unix|tcp' export create nbd tank/v
refused 2 'nowhere|port' export create nbd tank/v --tcp nowhere

# Every list is JSON with a version, integers as integers.
for list in drive pool volume export; do
	cw --json $list list | jq -e '.version' >/dev/null ||
		fail "$list list: $(cw --json $list list)"
done
cw --json volume list | jq -e '.volumes[0] | .size == 1073741824 and
	.name == "tank/v" and .allocated == 0' >/dev/null
cw --json status | jq -e '.version and .node and .peers == [] and
	(.processes | map(.role) | sort) == ["fast", "slow"]' >/dev/null
refused 3 'volume w' --json volume delete tank/w
stop_daemon

# No daemon: an error that says where it was looked for.
refused 1 'control.sock|daemon|connect' status

# The same by a file; starting on it twice changes nothing.
state=$work/second
cat >"$work/node.yaml" <<EOF
node: alpha
drives:
  - { name: d1, spec: "ram:64M" }
  - { name: d2, spec: "file:$work/d2.img,size=64M" }
pools:
  - { pool: tank, drives: [d1, d2] }
volumes:
  - { volume: tank/v, size: 1G, raid: raid0 }
exports:
  - { type: nbd, volume: tank/v, unix: $work/v.sock }
EOF
start_daemon --config "$work/node.yaml"
[ "$(status .node)" = alpha ] || fail "the node is $(status .node)"
[ "$(status '.exports[0].volume')" = tank/v ] || fail "$(status .exports)"
stop_daemon

sed 's/volumes:/volume:/' "$work/node.yaml" >"$work/typo.yaml"
state=$work/third
mkdir "$state"
! timeout 10 causewayd --state "$state" --config "$work/typo.yaml" \
	2>"$work/err" || fail "a typo in the configuration was taken"
grep -qi 'did you mean.*volumes' "$work/err" || fail "$(cat "$work/err")"
