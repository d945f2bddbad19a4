#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that nobody here wrote, with a quarter to a half of their memory,
# give the results that they give without; a program that checks each value
# finds all of them right.
# shows S4, S7, S8, S9, S10, S11, S12, S13, S21 (encrypted)
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark sqlite3 sort
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests

# far LOCAL PROGRAM ARG...
far() {
	local limit=$1
	shift
	"$tests/far_run" "$limit" ram:1G "$@" 2>>"$work/far.log"
}

# What the last run counted.
count() {
	grep '^far_run: faults' "$work/far.log" | tail -n 1 |
		sed -n "s/.* $1 \([0-9]*\).*/\1/p"
}

for case in threads same hot forks children remaps unmaps syscalls; do
	far 16M "$tests/far_hammer" $case || fail "hammer $case"
	[ "$(count moved_out)" -gt 1000 ] || fail "$case: nothing left"
	# Pages that are only read from then on are written once (S9).
	[ $case != same ] || [ "$(count written)" -le $((50 * 256)) ] ||
		fail "$case: clean pages were written"
	# What fits comes once, with what is fetched beside it.
	[ $case != hot ] || [ "$(count read)" -le $((3 * 6 * 256)) ] ||
		fail "hot: pages that fit do not stay"
	echo "hammer $case: $(count faults) faults, $(count moved_out) left"
done
[ "$(grep -c 'strays 1 ' "$work/far.log")" = 1 ] || fail "who did not join?"
# A pager that is killed takes the program with it, and its children.
# shellcheck disable=SC2016 # that shell expands them
TMPDIR=$work "$tests/far_run" 16M ram:1G bash -c '"$0" until "$1" & echo $! >"$2"; wait' \
	"$tests/far_hammer" "$work/never" "$work/child" \
	>"$work/checks" 2>>"$work/far.log" &
pager=$!
begun() {
	says 'checks begin' <"$work/checks"
}
wait_for 20 begun || fail "nothing begins"
kill -KILL $pager
wait_for 10 gone "$(cat "$work/child")" || {
	kill -KILL "$(cat "$work/child")"
	fail "a child waits for a pager that is no more"
}

# Where there is no room pages stay, and it is said.
"$tests/far_run" 16M ram:16M "$tests/far_hammer" same 2>>"$work/far.log" ||
	fail "no room"
[ "$(grep -c 'pages stay: there is no room left' "$work/far.log")" = 1 ] ||
	fail "nobody was told that there is no room"
FAR_ENCRYPT=1 far 16M "$tests/far_hammer" threads || fail "encrypted"

seq 1 400000 | shuf --random-source=<(yes) >"$work/numbers"
sort -n "$work/numbers" >"$work/sorted"
far 12M sort -n --parallel=2 -S 100M "$work/numbers" >"$work/far-sorted"
cmp "$work/sorted" "$work/far-sorted" || fail "sort"
echo "sort: $(count faults) faults"

query="with recursive n(i) as (select 1 union all select i + 1 from n
	where i < 300000)
	insert into t select i, i * 7919 % 1000003, hex(i) || 'x' from n;
	create index x on t(b); pragma integrity_check;
	select count(*), sum(b), max(c) from t where b % 3 = 1;"
for where in "" far; do
	${where:+far 12M} sqlite3 :memory: \
		"create table t(a integer primary key, b, c); $query" \
		>"$work/sqlite$where"
done
cmp "$work/sqlite" "$work/sqlitefar" || fail "sqlite3"
echo "sqlite3: $(count faults) faults"

# The key-value store, its snapshot by a forked child, and the snapshot.
redis() {
	redis-cli -s "$work/redis.sock" "$@"
}
# start WORDS-BEFORE...: a server on what is in $work.
start() {
	"$@" redis-server --port 0 --unixsocket "$work/redis.sock" --save "" \
		--dir "$work" --enable-debug-command yes >"$work/redis.log" 2>&1 &
	server=$!
	others+=("$server")
	wait_for 20 answers
}
answers() {
	redis ping | says PONG # not LOADING
}
stop() {
	redis shutdown nosave >/dev/null 2>&1 || true
	wait "$server" || fail "redis-server"
}
saved() {
	redis info persistence | says rdb_bgsave_in_progress:0
}
start far 24M
redis-benchmark -s "$work/redis.sock" -t set -n 60000 -r 60000 -d 1000 -P 16 \
	-q >/dev/null
before=$(redis debug digest)
redis bgsave >/dev/null
wait_for 60 saved
redis info persistence | says rdb_last_bgsave_status:ok || fail "bgsave"
[ "$(redis debug digest)" = "$before" ] || fail "redis: other contents"
stop
echo "redis: $(count faults) faults"
start env
[ "$(redis debug digest)" = "$before" ] || fail "redis: another snapshot"
stop
