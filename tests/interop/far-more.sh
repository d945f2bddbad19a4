#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# More programs that nobody here wrote, each with a half and with a quarter of
# the memory that it takes, give what they give without us.  FAR_LONG=1 does
# it with all of them and more of each (tools/dev test far-programs-long).
# shows S3, S11
. "$(dirname "$0")/lib.sh"
need gcc memcached openssl stress-ng
python=/usr/bin/python3 # the one that has Debian's test suite
$python -c 'import test.test_dict' 2>/dev/null || { echo "no libpython3-testsuite"; exit 77; }
[ -r /dev/userfaultfd ] || { echo "no userfaultfd"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests
long=${FAR_LONG:-}
least=$((8 << 20))
cd "$work"

far() { # LOCAL PROGRAM ARG...
	local limit=$1
	shift
	"$tests/far_run" "$limit" ram:2G "$@" 2>>"$work/far.log"
}

# What the last run counted.
count() {
	grep '^far_run: faults' "$work/far.log" | tail -n 1 |
		sed -n "s/.* $1 \([0-9]*\).*/\1/p"
}

# both PART NAME FILTER PROGRAM ARG...: what it prints and leaves in ./out must
# be the same with all of its memory and with that part of it.
both() {
	local parts="0 $1" name=$2 filter=$3 part peak limit
	shift 3
	[ -z "$long" ] || parts="0 2 4"
	for part in $parts; do
		rm -f out
		if [ "$part" = 0 ]; then
			limit=16G
		else
			limit=$((peak / part > least ? peak / part : least))
		fi
		far "$limit" "$@" >said || fail "$name with $limit"
		[ ! -f out ] || sha256sum out >>said
		$filter said >"$name.$part"
		cmp "$name.0" "$name.$part" || fail "$name: another result"
		if [ "$part" = 0 ]; then
			peak=$(count peak)
		else
			[ "$(count moved_out)" -gt 500 ] ||
				fail "$name: nothing left"
			echo "$name: $((limit >> 20)) of $((peak >> 20)) MiB," \
				"$(count read) pages read," \
				"$(count moved_out) left"
		fi
	done
}
result() { # of Python's tests, which say how long they took
	grep -E '^(Tests result|All [0-9]+ tests|[0-9]+ tests? OK)' "$1"
}

# A large table and many functions.
$python - "${long:+4}" >big.c <<'END'
import sys
n = int(sys.argv[1] or 1)
for i in range(60 * n):
    print(f"int f{i}(int *s, int x) {{ switch (x % 7) {{")
    for k in range(7):
        print(f"case {k}: s[0] += x * {i * k + 3}; break;")
    print(f"}} for (int i = 0; i < x; i++) s[1] += s[0] * i; return s[1]; }}")
print("const int t[] = {", ",".join(str(i * 7919 % 1000003)
                                    for i in range(100000 * n)), "};")
END
both 4 gcc cat gcc -O1 -c -o out big.c

# OpenSSL keeps a message that it verifies in memory.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
	-subj /CN=test 2>/dev/null
openssl rand -out big.bin $((24 << 20))
openssl cms -sign -binary -nodetach -in big.bin -signer cert.pem \
	-inkey key.pem -outform DER -out signed.der
both 4 openssl cat openssl cms -verify -binary -inform DER -in signed.der \
	-CAfile cert.pem -out out
cmp big.bin out || fail "openssl: other contents"

# shellcheck disable=SC2086 # words
least=$((12 << 20)) # below that the interpreter itself has no room
both 2 python result $python -m test ${long:+test_itertools test_unicode \
	test_zlib test_json} test_dict

least=$((8 << 20))
both 4 python-list cat $python -c "
import hashlib
x = [str(i) * 20 for i in range(200000)]
y = {s: len(s) for s in x[::2]}
print(hashlib.sha256(''.join(x).encode()).hexdigest(), sum(y.values()))"

# It forks the one that uses the memory.
both 4 stress-ng true stress-ng --vm 1 --vm-bytes "${long:+192}${long:-48}M" \
	--vm-method all --verify --vm-ops "${long:+2000}${long:-300}"

# Every value that memcached keeps.
cat >values.py <<'END'
import random, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rb")
N = 50000
def value(i):
    return (b"%08d" % i) * 125
for i in range(N):
    s.sendall(b"set k%d 0 0 1000 noreply\r\n%s\r\n" % (i, value(i)))
order = list(range(N))
random.Random(3).shuffle(order)
for i in order[:20000]:
    s.sendall(b"get k%d\r\n" % i)
    head, body, end = f.readline(), f.read(1002), f.readline()
    if body[:1000] != value(i) or end != b"END\r\n":
        sys.exit(f"k{i}: {head} {body[:16]}")
END
for limit in ${long:+32M} 16M; do
	far "$limit" memcached -u root -m 200 -t 2 -s "$work/memcached.sock" &
	server=$!
	wait_for 20 test -S memcached.sock || fail "memcached does not start"
	$python values.py "$work/memcached.sock" || fail "memcached: a value"
	pkill -TERM -P "$(pgrep -P $server)"
	wait $server || fail "memcached"
	rm -f memcached.sock
	[ "$(count moved_out)" -gt 5000 ] || fail "memcached: nothing left"
	echo "memcached: $limit of $(($(count peak) >> 20)), $(count read) read"
done

# 32 threads that want the same page at the same time make one read (S11).
far 16M "$tests/far_hammer" one || fail "one page"
asked=$(($(count read) - $(count prefetched)))
[ $asked -le 2100 ] || fail "$asked reads for 2000 pages"
echo "32 threads: $asked reads for 2000 pages, $(count joined) joined"

[ -n "$long" ] || exit 0
command -v java >/dev/null || { echo "no java"; exit 1; }
cat >Sort.java <<'END'
import java.util.*;
public class Sort {
    public static void main(String[] a) {
        Random r = new Random(5);
        Map<Long, String> m = new TreeMap<>();
        for (int i = 0; i < 400000; i++)
            m.put(r.nextLong(), "v" + i);
        long sum = 0;
        for (Map.Entry<Long, String> e : m.entrySet())
            sum = sum * 31 + e.getKey() + e.getValue().hashCode();
        System.out.println(sum);
    }
}
END
both 4 java cat java -Xmx256m -XX:+UseSerialGC Sort.java
