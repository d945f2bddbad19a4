#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A pool runs full, again and again: a write to a new address says ENOSPC and
# nothing else, reads and overwrites go on, and all works again after a trim.
# shows V19, V22
. "$(dirname "$0")/lib.sh"
need jq
need_python_nbd

start_daemon
pool tank 3 "${SIZE:-96M}" ram
volume tank/vol 1G raid5
$python - "$uri" "${CYCLES:-200}" <<'EOF'
import errno, sys, time
import nbd

uri, cycles = sys.argv[1], int(sys.argv[2])
h = nbd.NBD()
h.connect_uri(uri)
size, chunk = h.get_size(), 1 << 20
limit = size // chunk


def stamp(n, cycle):
    return n.to_bytes(4, "little") + cycle.to_bytes(4, "little")


def fill(start, cycle):
    """Write whole chunks until the pool is full; how many there are then."""
    for n in range(start, limit):
        try:
            h.pwrite(stamp(n, cycle) * (chunk // 8), n * chunk)
        except nbd.Error as e:
            assert e.errnum == errno.ENOSPC, f"cycle {cycle}: {e}"
            return n
    raise AssertionError("a 1 GiB volume never filled the pool")


def head(n):
    return h.pread(4096, n * chunk)[:8]


full = first = fill(0, 0)
assert first > 16, f"only {first} MiB fit"
written = {n: 0 for n in range(first)}
for cycle in range(1, cycles + 1):
    # Full: reads, overwrites and flushes go on; new addresses are refused.
    some = (cycle * 7) % full
    assert head(some) == stamp(some, written[some])
    h.pwrite(stamp(some, cycle) * 512, some * chunk)
    assert head(some) == stamp(some, cycle)
    h.flush()
    try:
        h.pwrite(bytes([1]) * 4096, (limit - 1) * chunk)
        raise AssertionError("a full pool took a new address")
    except nbd.Error as e:
        assert e.errnum == errno.ENOSPC, str(e)
    # Trim the last eighth: it reads as zeroes and can be written again.
    keep = full - max(full // 8, 4)
    h.trim((full - keep + 1) * chunk, keep * chunk)
    h.flush()
    assert h.pread(4096, keep * chunk) == bytes(4096)
    written[some] = cycle
    # What was trimmed becomes free when the trim is durable and no reader is
    # left: at once after a flush, or very soon.
    end = time.monotonic() + 5
    while True:
        full = fill(keep, cycle)
        if full >= first - 2 or time.monotonic() > end:
            break
    assert full >= first - 2, f"cycle {cycle}: {full} MiB fit, {first} before"
    for n in range(keep, full):
        written[n] = cycle
    assert head(keep) == stamp(keep, cycle)
for n in range(full):
    assert head(n) == stamp(n, written[n]), f"chunk {n}"
    got = h.pread(chunk - 4096, n * chunk + 4096)
    assert got[:8] * (len(got) // 8) == got, f"chunk {n} is mixed"
h.shutdown()
print(f"{cycles} cycles, {first} MiB fit")
EOF

# Somebody who looks is told, and to delete is always possible.
cw --json pool list | jq -e '.pools[0].warnings | length > 0' >/dev/null ||
	fail "no warning: $(cw --json pool list)"
cw export remove "$(export_name tank/vol)" >/dev/null
cw volume delete tank/vol >/dev/null
volume tank/again 64M raid5
$python -c 'import nbd, sys
h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.pwrite(bytes([5]) * 65536, 0)
h.flush(); h.shutdown()' "$uri"
stop_daemon
