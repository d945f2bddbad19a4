#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random operations through libnbd against an array in memory.

    daemon-model.py URI SEED OPERATIONS
"""
import random
import sys

import nbd

uri, seed, operations = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
h = nbd.NBD()
h.connect_uri(uri)
size = h.get_size()
block = max(h.get_block_size(nbd.SIZE_MINIMUM), 1)
model = bytearray(size)


def place():
    length = min(int(2 ** rng.uniform(0, 18)) // block * block + block, size)
    # Most operations near each other, so that they overlap.
    span = size if rng.random() < 0.2 else size // 8
    offset = rng.randrange(0, span - min(length, span - 1)) // block * block
    return offset, min(length, size - offset)


def check(offset, length, what):
    got = h.pread(length, offset)
    if got != model[offset:offset + length]:
        bad = next(i for i in range(length) if got[i] != model[offset + i])
        sys.exit(f"seed {seed}, operation {what}: byte {offset + bad} is "
                 f"{got[bad]:#x}, should be {model[offset + bad]:#x}")


for n in range(operations):
    offset, length = place()
    kind = rng.choices(["read", "write", "zero", "trim", "flush"],
                       [40, 40, 8, 10, 2])[0]
    if kind == "write":
        data = rng.randbytes(length)
        fua = nbd.CMD_FLAG_FUA if rng.random() < 0.1 else 0
        h.pwrite(data, offset, fua)
        model[offset:offset + length] = data
    elif kind == "zero":
        hole = nbd.CMD_FLAG_NO_HOLE if rng.random() < 0.3 else 0
        h.zero(length, offset, hole)
        model[offset:offset + length] = bytes(length)
    elif kind == "trim":
        # Trim is a hint: take what the server made of it, old or zero.
        h.trim(length, offset)
        got = h.pread(length, offset)
        for i in range(0, length, block):
            part = got[i:i + block]
            old = model[offset + i:offset + i + block]
            if part != old and part.strip(b"\0"):
                sys.exit(f"seed {seed}, operation {n}: trim made bytes up "
                         f"at {offset + i}")
        model[offset:offset + length] = got
    elif kind == "flush":
        h.flush()
    else:
        check(offset, length, n)
for offset in range(0, size, 1 << 20):
    check(offset, min(1 << 20, size - offset), "last")
h.shutdown()
print(f"{operations} operations, block {block}, seed {seed}: same")
