#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The NBD server as libnbd sees it, good and bad requests, over a Unix socket
# and over TCP; the device is memory.
# shows V1, V8
. "$(dirname "$0")/lib.sh"
need nbdinfo nbdcopy
need_python_nbd

# serve ADDRESS SIZE [options]: sets server_pid.
serve() {
	: >"$work/nbd.ready"
	"${CAUSEWAY_BUILD:-$root/build}/tests/nbd_ram" "$@" \
		>"$work/nbd.ready" 2>>"$work/nbd.log" &
	server_pid=$!
	others+=("$server_pid")
	wait_for 10 grep -q ready "$work/nbd.ready" || fail "no NBD server"
}

try() {
	$python - "$1" <<'PY'
import nbd, sys

MIB = 1 << 20
SIZE = 256 * MIB
uri = sys.argv[1]


def handle(structured=True):
    h = nbd.NBD()
    h.set_strict_mode(0)
    h.add_meta_context("base:allocation")
    h.set_request_structured_replies(structured)
    h.connect_uri(uri)
    return h


def refused(errno, f, *a):
    try:
        f(*a)
    except nbd.Error as e:
        assert e.errno == errno, (e.errno, errno, f, a)
    else:
        raise SystemExit(f"not refused: {f} {a}")


for structured in True, False:
    h = handle(structured=structured)
    assert h.get_size() == SIZE
    assert h.get_structured_replies_negotiated() == structured
    assert h.can_flush() and h.can_fua() and h.can_trim() and h.can_zero()
    assert h.can_multi_conn() and not h.is_read_only()
    assert h.can_df() == structured
    assert h.get_block_size(nbd.SIZE_MAXIMUM) == 32 * MIB

    for length in 512, 4096, 65536, 32 * MIB:
        data = bytes([length % 251]) * length
        h.pwrite(data, 512, nbd.CMD_FLAG_FUA)
        assert h.pread(length, 512) == data

    refused("ENOSPC", h.pwrite, b"x" * 512, SIZE)
    refused("ENOSPC", h.pwrite, b"x" * 1024, SIZE - 512)
    refused("ENOSPC", h.trim, 1024, SIZE - 512)
    refused("ENOSPC", h.zero, 512, 1 << 62)
    refused("EINVAL", h.pread, 512, SIZE)
    refused("EINVAL", h.pread, 512, (1 << 63) - 512)
    refused("EINVAL", h.pread, 513, 0)
    refused("EINVAL", h.pwrite, b"x" * 512, 1)
    refused("EINVAL", h.pread, 33 * MIB, 0)
    refused("EINVAL", h.pwrite, bytes(33 * MIB), 0)
    refused("EINVAL", h.cache, 512, 0)
    refused("EINVAL", h.zero, 512, 0, nbd.CMD_FLAG_FAST_ZERO)

    h.zero(MIB, 0, nbd.CMD_FLAG_NO_HOLE)
    assert h.pread(MIB, 0) == bytes(MIB)
    h.zero(SIZE, 0)
    h.trim(SIZE, 0, nbd.CMD_FLAG_FUA)
    h.flush()

    # Many at once, out of order or not: each gets its own bytes.
    for i in range(512):
        h.pwrite(bytes([i % 256]) * 4096, i * 4096)
    buffers = [nbd.Buffer(4096) for _ in range(512)]
    left = {h.aio_pread(b, i * 4096) for i, b in enumerate(buffers)}
    while left:
        h.poll(-1)
        left = {c for c in left if not h.aio_command_completed(c)}
    for i, b in enumerate(buffers):
        assert b.to_bytearray() == bytes([i % 256]) * 4096, i

    if structured:
        seen = []
        h.block_status(MIB, 0, lambda c, o, e, err: seen.append((c, o, e)))
        assert seen[0][:2] == ("base:allocation", 0)
        assert sum(seen[0][2][0::2]) == MIB
        one = []
        h.block_status(MIB, 0, lambda c, o, e, err: one.append(e),
                       nbd.CMD_FLAG_REQ_ONE)
        assert len(one[0]) == 2
        refused("EINVAL", h.block_status, 512, SIZE, lambda *a: 0)
    h.shutdown()

# A flush on one connection covers what another has written.
a, b = handle(), handle()
a.pwrite(b"a" * 4096, 0)
b.flush()
assert b.pread(4096, 0) == b"a" * 4096
a.shutdown()
b.shutdown()

# Negotiation by hand.
h = nbd.NBD()
h.set_opt_mode(True)
h.connect_uri(uri)
names = []
h.opt_list(lambda name, description: names.append((name, description)))
assert names == [("ram", "memory, for tests")], names
contexts = []
h.add_meta_context("base:")
h.opt_list_meta_context(lambda c: contexts.append(c))
assert contexts == ["base:allocation"], contexts
h.clear_meta_contexts()
h.set_export_name("nothing")
try:
    h.opt_go()
except nbd.Error:
    pass
else:
    raise SystemExit("an unknown export was opened")
h.set_export_name("")
h.opt_info()
assert h.get_size() == SIZE
h.opt_abort()
PY
}

serve "unix:$work/a.sock" 256M
try "nbd+unix:///ram?socket=$work/a.sock"
nbdinfo --list "nbd+unix:///?socket=$work/a.sock" | says 'export="ram"'

# A second server is refused the socket; after a kill the socket is taken over.
if "${CAUSEWAY_BUILD:-$root/build}/tests/nbd_ram" "unix:$work/a.sock" 1M \
	>/dev/null 2>"$work/second"; then
	fail "two servers on one socket"
fi
grep -q "another program" "$work/second"
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null || true
serve "unix:$work/a.sock" 256M threads=2
try "nbd+unix:///ram?socket=$work/a.sock"
kill -TERM "$server_pid"
wait "$server_pid" || fail "the server did not end cleanly"
test ! -e "$work/a.sock" || fail "the socket was left behind"

serve "tcp:127.0.0.1:0" 256M
at=nbd://127.0.0.1:$(cut -d ' ' -f 2 "$work/nbd.ready")
try "$at/ram"
nbdcopy --connections=4 "$at/" "$work/out"
test "$(stat -c %s "$work/out")" -eq $((256 << 20))
