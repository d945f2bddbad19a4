#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes that overlap, many at once, by several connections.

    daemon-overlap.py write|check URI SEED IMAGE

They have no order, so each sector may be of any that covers it; but it is
whole, at its place, and every drive has the same idea of it: what `write`
read back into IMAGE is what `check` reads when a drive is gone.
"""
import random
import struct
import sys

import nbd

what, uri, seed, image = sys.argv[1:]
SECTOR, SPAN, CONNECTIONS, WRITES, DEPTH = 512, 1 << 20, 4, 3000, 32


def connect():
    h = nbd.NBD()
    h.connect_uri(uri)
    return h


def stamp(writer, sector):
    return struct.pack("<II", writer, sector) * (SECTOR // 8)


def done(error):
    if error.value:
        sys.exit(f"seed {seed}: a write got error {error.value}")
    return 1


def write():
    rng = random.Random(int(seed))
    clients = [connect() for _ in range(CONNECTIONS)]
    covers = [set() for _ in range(SPAN // SECTOR)]
    for n in range(1, WRITES + 1):
        h = clients[n % CONNECTIONS]
        first = rng.randrange(len(covers))
        count = min(int(2 ** rng.uniform(0, 8)), len(covers) - first)
        data = b"".join(stamp(n, first + i) for i in range(count))
        for i in range(count):
            covers[first + i].add(n)
        h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(data)),
                     first * SECTOR, done)
        while h.aio_in_flight() >= DEPTH:
            h.poll(-1)
    for h in clients:
        while h.aio_in_flight():
            h.poll(-1)
    clients[0].flush()
    got = clients[0].pread(SPAN, 0)
    for sector, writers in enumerate(covers):
        at = got[sector * SECTOR:(sector + 1) * SECTOR]
        writer = struct.unpack_from("<I", at)[0]
        if writers and (writer not in writers or
                        at != stamp(writer, sector)):
            sys.exit(f"seed {seed}: sector {sector} is {at[:16].hex()}")
    with open(image, "wb") as f:
        f.write(got)


def check():
    with open(image, "rb") as f:
        was = f.read()
    got = connect().pread(SPAN, 0)
    if got != was:
        bad = next(i for i in range(SPAN) if got[i] != was[i])
        sys.exit(f"seed {seed}: sector {bad // SECTOR} is not what it was")


{"write": write, "check": check}[what]()
