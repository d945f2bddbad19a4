#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The third part of `tools/dev demo`: a program with a quarter of its memory.
#
# Alpha has little memory, beta, gamma and delta offer some.  sort(1), as Debian
# built it, runs on alpha with a quarter of what it uses; while it runs, gamma
# is killed, and then delta takes its memory back.  The result must be the one
# that it gives with all its memory.
# shellcheck source=../tests/interop/lib-hosts.sh
. "$(dirname "$0")/../tests/interop/lib-hosts.sh"
if [ ! -r /dev/userfaultfd ]; then
	echo "         this kernel or user has no userfaultfd: no far memory"
	exit 0
fi

began=$(date +%s.%N)
say() {
	printf '%5.1f s  %s\n' "$(since)" "$*"
}

since() {
	awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }'
}

hosts alpha beta gamma delta
for name in alpha beta gamma delta; do
	node $name
done
for name in beta gamma delta; do
	on alpha node add $name "$(addresses $name)" >/dev/null
	on $name donor offer --size 256M >/dev/null
	wait_for 10 peer_is alpha $name up || fail "$name cannot be reached"
done
say "four hosts; beta, gamma and delta offer 256 MiB each"

# The words of this machine's own files, in no order.
find /usr/share/doc /usr/include -type f -size -200k -print0 2>/dev/null |
	sort -z | xargs -0 cat 2>/dev/null | tr -cs '[:alnum:]' '\n' |
	awk 'NR <= 700000' >"$work/words"
sorting=(env LC_ALL=C sort --parallel=1 -S 512M "$work/words")
wants=$("${sorting[@]}" | sha256sum)
say "sort, $(wc -l <"$work/words") lines, all memory at home: ${wants:0:16}..."

on alpha run --local 10M --far 64M --donor beta,gamma,delta -- "${sorting[@]}" \
	>"$work/sorted" 2>"$work/run.log" &
program=$!
before=$(on alpha --json node show gamma | jq .bytes_written)
wait_for 60 has_written alpha gamma $((before + (8 << 20))) ||
	fail "nothing leaves"
say "the same with 10 MiB at home: $(on gamma donor list | head -n 1)"
end_node gamma KILL
say "in the middle of it gamma is killed"
on delta donor withdraw --within 30 >/dev/null
say "and delta wants its memory back"
wait $program || fail "the program ended with an error"
has=$(sha256sum <"$work/sorted")
[ "$has" = "$wants" ] || fail "MISMATCH: $has"
say "it has ended, with the same result: ${has:0:16}..."
sed 's/^/         /' "$work/run.log"
