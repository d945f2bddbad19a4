#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Check that the tree obeys the architecture written in src/meson.build.

    check_layers.py SOURCE_ROOT [BUILD_DIR]

1. A file in src/X includes "Y/..." only if Y is X or X's row allows Y.
2. A header named *_priv.h is included only from its own folder.
3. A *_wire.h or *_format.h header includes only base/wire.h.
4. No file is over 600 lines and no function over 70.
5. With BUILD_DIR: each global symbol of libX.a starts with X_ or with the
   name of one of X's headers.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
SRC = ROOT / "src"
ROW = re.compile(r"^\s*\['(\w+)',\s*\[([^\]]*)\]", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
BODY = re.compile(r"^\{\n(.*?)^\}", re.M | re.S)

problems = []


def bad(where, what):
    problems.append(f"{where.relative_to(ROOT)}: {what}")


allowed = {
    name: set(re.findall(r"\w+", uses)) | {name}
    for name, uses in ROW.findall((SRC / "meson.build").read_text())
}

for path in sorted(SRC.rglob("*.[ch]")):
    folder = path.relative_to(SRC).parts[0]
    text = path.read_text()
    for inc in INCLUDE.findall(text):
        target = inc.split("/")[0]
        if "/" not in inc:
            bad(path, f'"{inc}": write the folder too')
        elif folder in allowed and target not in allowed[folder]:
            bad(path, f'"{inc}": {folder} may not use {target}')
        elif inc.endswith("_priv.h") and target != folder:
            bad(path, f'"{inc}" is private to {target}')
        elif (path.name.endswith(("_wire.h", "_format.h"))
              and inc != "base/wire.h"):
            bad(path, f'"{inc}": a format header includes only base/wire.h')
    if (n := text.count("\n")) > 600:
        bad(path, f"{n} lines, over 600")
    for body in BODY.findall(text):
        if (n := body.count("\n")) > 70:
            bad(path, f"a function of {n} lines, over 70")

if len(sys.argv) > 2:
    for folder in allowed:
        lib = pathlib.Path(sys.argv[2]) / "src" / f"lib{folder}.a"
        if not lib.exists():
            continue
        stems = {h.stem for h in (SRC / folder).rglob("*.h")} | {folder}
        out = subprocess.run(["nm", "-g", "--defined-only", lib], text=True,
                             check=True, capture_output=True).stdout
        for sym in re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", out, re.M):
            if not any(sym.startswith(s + "_") for s in stems):
                bad(SRC / folder, f"symbol {sym} lacks the folder's prefix")

print("\n".join(problems) or f"{len(allowed)} folders, no problems")
sys.exit(bool(problems))
