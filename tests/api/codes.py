#!/usr/bin/env python3
"""Every error code is provoked over HTTP: a test of this folder names it with its status, where it looks at an answer.

usage: codes.py CODES.C
"""

import pathlib
import re
import sys

ROW = re.compile(r'\[CODE_\w+\]\s*=\s*\{(\d+),\s*\w+,\s*"([a-z0-9-]+)"')
# expect_problem 404 image-not-found ..., refused(answer, 409, "image-busy", ...), (414, "target-too-long")
SEEN = re.compile(r'(?<![\w.-])([45]\d\d),?\s+"?([a-z][a-z0-9]*(?:-[a-z0-9]+)+|internal|unaligned|overloaded)\b(?!\.)')


def main(source):
    codes = {name: int(status) for status, name in ROW.findall(pathlib.Path(source).read_text()) if name != "none"}
    here = pathlib.Path(__file__).parent
    seen, wrong = set(), []
    for path in sorted(here.glob("**/*.sh")) + sorted(here.glob("**/*.py")):
        if path.name in ("codes.py", "lib.sh"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = "" if line.lstrip().startswith("#") else line
            for status, name in SEEN.findall(text):
                if name in codes:
                    seen.add(name)
                if codes.get(name, int(status)) != int(status):
                    wrong.append(f"{path.name}:{number}: {name} is {codes[name]}, not {status}")
    missing = sorted(set(codes) - seen)
    for name in missing:
        print(f"no test provokes {codes[name]} {name}")
    print("\n".join(wrong) if wrong else f"{len(seen)} of {len(codes)} codes")
    return bool(missing or wrong) or len(codes) < 50


sys.exit(main(*sys.argv[1:]))
