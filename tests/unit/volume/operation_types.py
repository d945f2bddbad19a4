#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""shows V2: each of the four pipelines takes its own type of operation, and
the compiler refuses another's.

    operation_types.py SOURCE_ROOT CC [ARGUMENT...]
"""
import subprocess
import sys

ROOT, COMPILER = sys.argv[1], sys.argv[2:]
PIPELINES = [
    # pipeline, header, call, its operation
    ("protocol", "export/nbd_priv.h", "nbd_request_received(x)", "nbd_request"),
    ("thin", "volume/fast/thin.h", "thin_end(x)", "thin_op"),
    ("raid", "volume/raid/raid.h", "raid_submit(0, 0, 0, x)", "raid_op"),
    ("drive", "block/block.h", "block_submit(0, x)", "block_request"),
]
HEADERS = "".join(f'#include "{p[1]}"\n' for p in PIPELINES)


def compiles(call, operation):
    source = (f"{HEADERS}void f(struct {operation} *x);\n"
              f"void f(struct {operation} *x) {{ {call}; }}\n")
    done = subprocess.run(
        [*COMPILER, "-std=gnu17", "-D_GNU_SOURCE", "-Werror",
         "-fsyntax-only", f"-I{ROOT}/src", "-x", "c", "-"],
        input=source, text=True, capture_output=True)
    wrong = done.returncode and "incompatible" not in done.stderr
    return None if wrong else done.returncode == 0


n = failed = 0
print(f"1..{len(PIPELINES) ** 2}")
for pipeline, _, call, own in PIPELINES:
    for other, _, _, operation in PIPELINES:
        n += 1
        good = compiles(call, operation) is (own == operation)
        failed += not good
        verb = "takes" if own == operation else "refuses"
        print(f"{'ok' if good else 'not ok'} {n} - {pipeline} {verb} the "
              f"operation of {other}")
sys.exit(bool(failed))
