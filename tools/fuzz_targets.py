#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every decoder of outside bytes has a fuzz target, and every target is built.

    fuzz_targets.py [--list]

1. Each fuzz/fuzz_NAME.c has a row ['NAME', 'folder'] in fuzz/meson.build,
   and each row has its file.
2. Each src/X/*decode*.c is reached by a target: one includes its header.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = re.findall(r"^\s*\['(\w+)',", (ROOT / "fuzz/meson.build").read_text(),
                  re.M)
if "--list" in sys.argv:
    print("\n".join(ROWS))
    sys.exit(0)

files = {p.stem.removeprefix("fuzz_"): p.read_text()
         for p in (ROOT / "fuzz").glob("fuzz_*.c")}
problems = [f"fuzz/fuzz_{n}.c has no row in fuzz/meson.build"
            for n in sorted(set(files) - set(ROWS))]
problems += [f"fuzz/meson.build: there is no fuzz/fuzz_{n}.c"
             for n in sorted(set(ROWS) - set(files))]

everything = "".join(files.values())
for path in sorted((ROOT / "src").rglob("*decode*.c")):
    header = path.relative_to(ROOT / "src").with_suffix(".h")
    if f'"{header}"' not in everything:
        problems.append(f"src/{header}: no fuzz target includes it")

print("\n".join(problems) or f"{len(ROWS)} fuzz targets, no problems")
sys.exit(bool(problems))
