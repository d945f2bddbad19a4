#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write an initial RAM file system (cpio "newc") for a test guest.

    mkinitrd.py GUEST OUT INIT [-m MODULE]... [-p PROGRAM]... [-f HOST:GUEST]...

GUEST is the folder of get-guest.sh.  Modules come with what they depend on;
/m/order lists them in the order to load.  A program comes with its libraries.
"""
import argparse
import os
import pathlib
import re
import stat
import subprocess

FOLDERS = ("bin", "dev", "etc", "m", "mnt", "proc", "sys", "tmp")


class Modules:
    def __init__(self, folder):
        self.paths = {p.name.split(".ko")[0].replace("-", "_"): p
                      for p in folder.rglob("*.ko*")}
        self.order, self.data = [], {}

    def add(self, name):
        """This module after those that it needs; built-in ones have none."""
        name = name.replace("-", "_")
        if name in self.data or name not in self.paths:
            return
        path = self.paths[name]
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = subprocess.run(["xz", "-dc"], input=data, check=True,
                                  capture_output=True).stdout
        self.data[name] = data
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for need in filter(None, needs[1].decode().split(",")
                           if needs else []):
            self.add(need)
        self.order.append(name)


def libraries(program):
    out = subprocess.run(["ldd", program], text=True, capture_output=True)
    return re.findall(r"(/\S+)", out.stdout)


class Cpio:
    def __init__(self):
        self.entries = {}

    def folder(self, path):
        if path and path not in self.entries:
            self.folder(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, mode=0o755):
        path = path.lstrip("/")
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, data)

    def write(self, out):
        entries = [*self.entries.items(), ("TRAILER!!!", (0, b""))]
        with open(out, "wb") as f:
            for number, (path, (mode, data)) in enumerate(entries, 1):
                name = path.encode() + b"\0"
                head = b"070701" + b"".join(
                    b"%08x" % v for v in (number, mode, 0, 0, 1, 0, len(data),
                                          0, 0, 0, 0, len(name), 0))
                for part in (head + name, data):
                    f.write(part + bytes(-len(part) % 4))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("guest", type=pathlib.Path)
    p.add_argument("out")
    p.add_argument("init")
    p.add_argument("-m", dest="modules", action="append", default=[])
    p.add_argument("-p", dest="programs", action="append", default=[])
    p.add_argument("-f", dest="files", action="append", default=[])
    a = p.parse_args()

    cpio = Cpio()
    for folder in FOLDERS:
        cpio.folder(folder)
    cpio.file("bin/busybox", (a.guest / "busybox").read_bytes())
    cpio.file("init", pathlib.Path(a.init).read_bytes())

    modules = Modules(a.guest / "modules")
    for name in a.modules:
        modules.add(name)
    for name, data in modules.data.items():
        cpio.file(f"m/{name}.ko", data, 0o644)
    cpio.file("m/order", "".join(f"{n}.ko\n" for n in modules.order).encode(),
              0o644)
    for program in a.programs:
        for path in [program, *libraries(program)]:
            cpio.file(path, pathlib.Path(path).read_bytes())
    for pair in a.files:
        host, guest = pair.split(":")
        cpio.file(guest, pathlib.Path(host).read_bytes(), 0o644)
    cpio.write(a.out)


main()
