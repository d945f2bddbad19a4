#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The slow stack is stopped: reads, writes and flushes of mapped addresses,
# new clients and leaving ones go on; a write to a new address waits, and
# finishes when the slow stack goes on.
# shows V4, V7, V8
. "$(dirname "$0")/lib.sh"
need fio jq nbdinfo
need_python_nbd

start_daemon
pool tank 4 256M ram
volume tank/vol 128M raid5
fio_nbd fill "$uri" --rw=write --bs=128k --size=32M --iodepth=4 --end_fsync=1
nbdinfo --size "$uri" >/dev/null
$python -c 'import nbd, sys
h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.flush(); h.shutdown()' "$uri"

slow=$(process slow)
others+=("$slow")
kill -STOP "$slow"

# Hits of one client, with verification, for a while.
fio_nbd hits "$uri" --rw=randrw --size=32M --iodepth=8 --io_size=64M \
	--verify=crc32c --verify_fatal=1 &
hits=$!
others+=("$hits")
$python - "$uri" "$slow" <<'EOF'
import os, signal, sys, time
import nbd

uri, slow = sys.argv[1], int(sys.argv[2])
h = nbd.NBD()
h.connect_uri(uri)                      # a handshake is a hit
start = time.monotonic()
h.flush()                               # nothing uncommitted: a hit
assert time.monotonic() - start < 2, "a flush waited for the slow stack"

miss = nbd.Buffer.from_bytearray(bytearray(b"\x77" * 4096))
cookie = h.aio_pwrite(miss, 100 << 20)  # nobody has written there
end = time.monotonic() + 2
reads = 0
other = nbd.NBD()
other.connect_uri(uri)
while time.monotonic() < end:
    h.poll(0)
    assert not h.aio_command_completed(cookie), \
        "a new address was written while the slow stack was stopped"
    other.pread(4096, reads * 4096 % (32 << 20))
    reads += 1
assert reads > 500, f"only {reads} hits in 2 s"
state = open(f"/proc/{slow}/stat").read().rsplit(")", 1)[1].split()[0]
assert state == "T", f"the slow stack is not stopped but {state}"
other.shutdown()                        # so is a disconnect

os.kill(slow, signal.SIGCONT)
end = time.monotonic() + 10
while not h.aio_command_completed(cookie):
    assert time.monotonic() < end, "the miss did not finish"
    h.poll(100)
assert h.pread(4096, 100 << 20) == b"\x77" * 4096
assert h.pread(61440, (100 << 20) + 4096) == bytes(61440)
h.shutdown()
print(f"{reads} hits beside one miss")
EOF
wait "$hits" || fail "fio: hits did not go on"
test "$(process slow)" = "$slow" || fail "the slow stack was replaced"
stop_daemon
