#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What clients can make the daemon hold, on the finished program: a thousand
# idle connections, clients that stop in the middle of the handshake, and more
# of them than there are descriptors.
# shows V1 (NBD: its bounds)
. "$(dirname "$0")/lib.sh"
need python3 jq

before=$(ulimit -Sn)
ulimit -Sn 64 # the daemon takes what the hard limit allows
start_daemon
ulimit -Sn "$before"
pool tank 3 64M ram
volume tank/vol 64M raid5

python3 - "$(process fast)" "$(process slow)" "$work/tank-vol.sock" \
	"$work/causewayd.log" <<'EOF'
import os, resource, socket, struct, sys, time

fast, slow, path, log = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))


def take(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError(data)
        data += more
    return data


def connect(seconds=30):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(seconds)
    s.connect(path)
    return s


def opened():
    """In the transmission phase, by EXPORT_NAME."""
    s = connect()
    take(s, 18)
    s.sendall(struct.pack(">IQII8s", 3, 0x49484156454F5054, 1, 8,
                          b"tank/vol"))
    take(s, 10)
    return s


def read(s):
    s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, 7, 0, 4096))
    assert take(s, 16)[4:] == struct.pack(">IQ", 0, 7)
    assert take(s, 4096) == bytes(4096)


def held():
    """Bytes of both processes; what they share counts once."""
    total = 0
    for pid in fast, slow:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1]) << 10
    return total


# Clients that stop at each step of the handshake.
began = time.monotonic()
stopped = []
for said in b"", b"\0\0", struct.pack(">I", 3), struct.pack(">IQ", 3, 0x4948):
    s = connect()
    take(s, 18)
    s.sendall(said)
    stopped.append(s)

# A thousand that have read something and are idle.
read(opened())
empty = held()
idle = [opened() for _ in range(1000)]
for s in idle:
    read(s)
time.sleep(3)  # buffers that nobody uses are given back
each = (held() - empty) / len(idle)
print(f"{each:.0f} bytes per idle connection")
assert each <= 16384, each

for s in stopped:
    assert s.recv(1) == b"", "a stalled client is not dropped"
took = time.monotonic() - began
assert 9 < took < 25, f"stalled clients were dropped after {took:.1f} s"


def leave_descriptors(n):
    """Let the daemon open n more."""
    used = {int(f) for f in os.listdir(f"/proc/{fast}/fd")}
    limit = 0
    while limit in used or n > 0:
        n -= limit not in used
        limit += 1
    resource.prlimit(fast, resource.RLIMIT_NOFILE, (limit, hard))


def warnings():
    return open(log).read().count('what="clients have to wait"')


leave_descriptors(2)
late = [connect(1) for _ in range(4)]
greeted = 0
try:
    for s in late:
        take(s, 18)
        greeted += 1
except TimeoutError:
    pass
assert greeted == 2, f"{greeted} clients with 2 descriptors"
assert warnings() == 1 and "Too many open files" in open(log).read()
read(idle[0])
for s in idle[1:]:
    s.close()
for s in late[2:]:
    s.settimeout(10)
    take(s, 18)
read(idle[0])
assert warnings() == 1
leave_descriptors(1)  # for the call that comes now
EOF

! cw drive add more "file:$work/more.img,size=64M" 2>"$work/err" ||
	fail "a drive was opened without a descriptor"
grep -q "open files" "$work/err" || fail "no reason: $(cat "$work/err")"
stop_daemon
