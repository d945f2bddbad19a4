#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write stamped blocks and remember what was flushed; or check them.

    daemon-kill9.py write URI LEDGER SEED   until the server is gone
    daemon-kill9.py check URI LEDGER

A block holds its own number and a version, all over.  The ledger has a line
`f VERSION` when a flush returned that covers every write up to VERSION, and
`w BLOCK VERSION` before each write is sent.  A block must then hold the last
version that was flushed or a later one that was sent, in one piece.
"""
import random
import struct
import sys

import nbd

BLOCK = 4096
STAMP = struct.Struct("<QQ")


def content(block, version):
    return STAMP.pack(block, version) * (BLOCK // STAMP.size)


def write(uri, ledger, seed):
    rng = random.Random(seed)
    h = nbd.NBD()
    log = open(ledger, "a", buffering=1)
    # Never twice: versions that a flush covers may all have been overtaken.
    flushed, sent = read(ledger)
    version = max([flushed] + [v for _, v in sent])
    try:
        h.connect_uri(uri)
        blocks = h.get_size() // BLOCK
        while True:
            pending = []
            for _ in range(rng.randrange(1, 24)):
                version += 1
                block = min(int(rng.paretovariate(0.3)), blocks) - 1
                if any(block == p[0] for p in pending):
                    continue
                data = nbd.Buffer.from_bytearray(content(block, version))
                log.write(f"w {block} {version}\n")
                pending.append((block, data,
                                h.aio_pwrite(data, block * BLOCK)))
            while pending := [p for p in pending
                              if not h.aio_command_completed(p[2])]:
                h.poll(-1)
            if rng.random() < 0.5:
                h.flush()
                log.write(f"f {version}\n")
    except nbd.Error as e:
        print(f"stopped at version {version}: {e}")


def read(ledger):
    """@return (version flushed, [(block, version)...] sent)"""
    flushed, sent = 0, []
    try:
        lines = open(ledger).read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        kind, *values = line.split()
        if kind == "f":
            flushed = int(values[0])
        else:
            sent.append((int(values[0]), int(values[1])))
    return flushed, sent


def check(uri, ledger):
    flushed, sent = read(ledger)
    h = nbd.NBD()
    h.connect_uri(uri)
    allowed = {}
    for block, version in sent:
        if version <= flushed:
            allowed[block] = {version}
        else:
            allowed.setdefault(block, {0}).add(version)
    held = {}
    for block, versions in allowed.items():
        data = h.pread(BLOCK, block * BLOCK)
        number, version = STAMP.unpack_from(data)
        good = (data == content(number, version) and number == block
                or data == bytes(BLOCK) and 0 in versions)
        version = 0 if data == bytes(BLOCK) else version
        if not good or version not in versions:
            sys.exit(f"block {block} holds block {number} version {version} "
                     f"of {sorted(versions)}, flushed up to {flushed}"
                     + ("" if good else ", torn or foreign"))
        held[block] = version
    h.shutdown()
    # From here on what it holds is what it must hold.
    with open(ledger, "w") as log:
        for block, version in held.items():
            if version:
                log.write(f"w {block} {version}\n")
        last = max([v for _, v in sent], default=0)
        log.write(f"f {last}\n")
    print(f"{len(held)} blocks, flushed up to {flushed}: as they should be")


if sys.argv[1] == "write":
    write(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    check(sys.argv[2], sys.argv[3])
