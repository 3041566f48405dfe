"""Judges client events, one a line on standard input."""

import json
import sys

from schema import check

wrong = 0
for number, line in enumerate(sys.stdin, 1):
    for problem in check(json.loads(line), "client"):
        print(f"line {number}: {problem}\n  {line.strip()[:300]}")
        wrong += 1
sys.exit(1 if wrong else 0)
