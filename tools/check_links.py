#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the documentation names is there: the targets of links, files in
`backquotes`, and the tests that docs/capabilities.md shows its rows by."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
FILE = re.compile(r"`((?:tests|bench|tools|src|docs|fuzz)/[a-z][\w./-]+)`")
TEST = re.compile(r"`([\w/*-]+)`")


def there(*patterns):
    return any(any(ROOT.glob(p)) for p in patterns)


problems = []
pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
for page in pages:
    name, text = page.relative_to(ROOT), page.read_text()
    problems += [f"{name}: there is no {link}" for link in LINK.findall(text)
                 if not (page.parent / link).exists()]
    problems += [f"{name}: there is no {file}" for file in FILE.findall(text)
                 if not there(file, file + ".*")]

for row in (ROOT / "docs/capabilities.md").read_text().splitlines():
    if not re.match(r"\| [A-Z]\d+", row):
        continue
    cells = row.split("|")
    tests = TEST.findall(cells[4])
    problems += [f"docs/capabilities.md: {cells[1].strip()} is shown by "
                 f"{test}, which is not there" for test in tests
                 if not there(test, test + ".*", f"tests/{test}",
                              f"tests/{test}.*", f"tests/unit/*/{test}.c")]
    if cells[3].strip() in ("works", "partly") and not tests:
        problems.append(f"docs/capabilities.md: nothing shows {cells[1]}")

print("\n".join(problems) or f"{len(pages)} pages, no problems")
sys.exit(bool(problems))
