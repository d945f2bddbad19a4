#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""share.c in Python: `share.py use` and `share.py lend NODE IDENTITY`."""
import struct
import sys
import time

import causeway

COUNTER, TEXT, BYTES = 0, 64, 4096


def lend(c, node, identity):
    region = c.region(BYTES)
    text = f"memory of {c.node}".encode()
    region.data[TEXT:TEXT + len(text)] = text
    _, line = c.grant([(region.key, 0, BYTES)], node=node,
                      process=causeway.Key.parse(identity),
                      rights=causeway.READ | causeway.WRITE | causeway.ATOMIC,
                      lease_ms=60_000)
    print(line, flush=True)
    while not (visits := struct.unpack_from("Q", region.data, COUNTER)[0]):
        time.sleep(0.01)
    said = bytes(region.data[TEXT:]).split(b"\0")[0].decode()
    print(f"visitor {visits} wrote: {said}")
    region.destroy()


def use(c):
    print(c.node, c.identity, flush=True)
    window = c.import_(sys.stdin.readline().strip())
    region, queue = c.region(BYTES), c.queue(4)
    queue.read(region, window, BYTES - TEXT, offset=TEXT).wait()
    print("it says:", bytes(region.data).split(b"\0")[0].decode())
    said = f"hello from {c.node}".encode() + b"\0"
    region.data[:len(said)] = said
    queue.write(region, window, len(said), offset=TEXT).wait()
    queue.fetch_and_add(window, COUNTER, 1).wait()


def main():
    with causeway.Context() as c:
        if sys.argv[1:] == ["use"]:
            use(c)
        elif len(sys.argv) == 4 and sys.argv[1] == "lend":
            lend(c, *sys.argv[2:])
        else:
            sys.exit("share.py use | share.py lend NODE IDENTITY")


main()
