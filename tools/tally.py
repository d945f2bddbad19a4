#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turn test logs into one list of results, and the list into a count.

    tally.py meson LABEL LOG.json    print a result line per test in the log
    tally.py sum RESULTS             print what failed, then the count

A result line is `PASS|FAIL|SKIP name reason`.  A cmocka case counts as one;
every other meson test, build, fuzz target and script counts as one.

A test that skips although `tools/dev deps` installs what it needs has failed:
only names in tools/may-skip may skip.
"""
import fnmatch
import json
import pathlib
import re
import sys

TAP = re.compile(r"^(not )?ok\b *\d* *-? *([^#\n]*?) *(# *SKIP\b.*)?$", re.M)
PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"
MESON = {"OK": PASS, "EXPECTEDFAIL": PASS, "SKIP": SKIP}


def may_skip():
    text = (pathlib.Path(__file__).parent / "may-skip").read_text()
    rows = [r.split(None, 1) for r in text.splitlines()]
    return [r[0] for r in rows if r and not r[0].startswith("#")]


def tap_results(out):
    for bad, name, skip in TAP.findall(out):
        yield FAIL if bad else SKIP if skip else PASS, name


def meson(label, log):
    for line in pathlib.Path(log).read_text().splitlines():
        test = json.loads(line)
        name = test["name"].split(" / ")[-1]
        out = test.get("stdout", "")
        whole = MESON.get(test["result"], FAIL)
        cases = []
        if re.search(r"^1\.\.\d+", out, re.M):
            cases = list(tap_results(out))
        for status, case in cases:
            print(status, f"{label}:{name}:{case.replace(' ', '_')}")
        if not cases or (whole == FAIL and FAIL not in dict(cases)):
            last = (out.strip().splitlines() or [""])[-1]
            why = "" if whole == PASS else f"{test['result']}: {last}"
            print(whole, f"{label}:{name}", why[:200])


def total(results):
    count = {PASS: 0, FAIL: 0, SKIP: 0}
    allowed = may_skip()
    for line in pathlib.Path(results).read_text().splitlines():
        status, name, *why = line.split(None, 2)
        why = why[0] if why else ""
        if status == SKIP and not any(
                fnmatch.fnmatch(name, "*:" + a) for a in allowed):
            status, why = FAIL, "skipped, and may not: " + why
        count[status] += 1
        if status != PASS:
            print(f"{status.lower()}: {name} {why}".rstrip())
    print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format(**count))
    return count[FAIL] > 0 or count[PASS] == 0


if __name__ == "__main__":
    if sys.argv[1] == "meson":
        meson(*sys.argv[2:])
    else:
        sys.exit(total(sys.argv[2]))
