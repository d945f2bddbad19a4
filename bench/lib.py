# SPDX-License-Identifier: BSD-2-Clause
"""Shared by the bench scripts: a node of our own, peers, figures.

A figure is a line `RATIO name ours/peer (spread) goal >=1.0` where there is a
peer, `FIGURE name value unit goal <=x` where there is none; finish() exits 0
only if every goal was met.
"""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("CAUSEWAY_BUILD", ROOT / "build"))
missed = []
# A script that is told to stop takes its servers along.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sleep = time.sleep


def figure(name, value, unit, goal=None):
    """A figure without a peer; `goal` is the most that is allowed."""
    print(f"FIGURE {name} {value:.2f} {unit}"
          + (f" goal <={goal:g}" if goal is not None else ""), flush=True)
    if goal is not None and value > goal:
        missed.append(name)


def ratio(name, ours, peer, goal=1.0):
    """Medians of rounds that took turns; both are lists, more is better.

    The spread is that of the ratios of the rounds, lowest to highest."""
    rounds = [a / b for a, b in zip(ours, peer)]
    value = statistics.median(ours) / statistics.median(peer)
    print(f"RATIO {name} {value:.2f} ({min(rounds):.2f}-{max(rounds):.2f})"
          f" goal >={goal:.2f}", flush=True)
    if value < goal:
        missed.append(name)


def finish():
    if missed:
        print(f"goals missed: {', '.join(missed)}", file=sys.stderr)
    sys.exit(bool(missed))


def scratch(prefix="causeway-"):
    """A folder in memory, so that no disk of this machine is measured."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=shm))


def wait_until(what, seconds, text):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit(f"{text} within {seconds} s")
        time.sleep(0.02)


def nbd_client(uri):
    import nbd
    h = nbd.NBD()
    h.connect_uri(uri)
    return h


class Node:
    """A daemon on a scratch folder, ended with the `with` block."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.dir = scratch()
        ready, write = os.pipe()
        with open(self.dir / "log", "w") as log:
            self.daemon = subprocess.Popen(
                [BUILD / "causewayd", "--state", self.dir / "state",
                 "--ready-fd", str(write), *self.args],
                pass_fds=[write], stderr=log)
        os.close(write)
        if not os.read(ready, 1):
            sys.exit("causewayd did not start:\n"
                     + (self.dir / "log").read_text())
        os.close(ready)
        return self

    def __exit__(self, *_):
        self.daemon.terminate()
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def cw(self, *args):
        done = subprocess.run(
            [BUILD / "causeway", "--socket", self.dir / "state/control.sock",
             "--json", *args], text=True, capture_output=True)
        if done.returncode:
            sys.exit(f"causeway {' '.join(args)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def pool(self, name, n, size):
        """A pool over n drives of memory."""
        drives = [f"{name}{i}" for i in range(n)]
        for d in drives:
            self.cw("drive", "add", d, f"ram:{size}")
        self.cw("pool", "create", name, *drives)

    def volume(self, name, size, profile):
        """A volume with an export; its URI."""
        self.cw("volume", "create", name, "--size", size, "--raid", profile)
        return self.export(name)

    def export(self, name):
        sock = self.dir / f"{name.replace('/', '-')}.sock"
        self.cw("export", "create", "nbd", name, "--unix", str(sock))
        return f"nbd+unix:///{name}?socket={sock}"

    def processes(self):
        children = pathlib.Path(
            f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children")
        return [self.daemon.pid, *map(int, children.read_text().split())]

    def cpu_seconds(self):
        ticks = 0
        for pid in self.processes():
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat.rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def pss_bytes(self):
        total = 0
        for pid in self.processes():
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


class Peer:
    """Somebody else's NBD server: argv with {sock}, where it listens, and
    {disk}, a file in memory of `disk` bytes.  Runs within a `with` block."""

    def __init__(self, name, argv, disk=0):
        self.name, self.argv, self.disk = name, argv, disk

    def __enter__(self):
        self.dir = scratch("peer-")
        sock, disk = self.dir / "nbd.sock", self.dir / "disk"
        if self.disk:
            disk.touch()
            os.truncate(disk, self.disk)
        self.uri = f"nbd+unix:///?socket={sock}"
        self.process = subprocess.Popen(
            [a.replace("{sock}", str(sock)).replace("{disk}", str(disk))
             for a in self.argv], stdout=subprocess.DEVNULL)
        try:
            wait_until(sock.exists, 10, f"{self.name} did not listen")
        except SystemExit:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def fio(uri, size, seconds, **options):
    """IOPS of fio's nbd engine, by one job of one thread."""
    argv = ["fio", "--name=bench", "--ioengine=nbd", f"--uri={uri}",
            f"--size={size}", "--output-format=json", "--randrepeat=0",
            "--norandommap"]
    argv += ["--time_based", f"--runtime={seconds}"] if seconds else []
    argv += [f"--{k}={v}" for k, v in options.items()]
    done = subprocess.run(argv, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"fio on {uri}: {done.stdout[-500:]}{done.stderr}")
    # What it says before the JSON is a note about ramp time or the engine.
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    return job["read"]["iops"] + job["write"]["iops"]
