"""Measures sound clients of a Realtime server against each other. Runs inside tests/desktop/rig.sh:

bash tests/desktop/rig.sh python3 tests/measure/measure.py --program vivavoce-cli --clients FOLDER

FOLDER holds `python` and `js/node_modules`, installed from the lists beside this file.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path


def arguments():
    """Returns what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True, help="vivavoce-cli")
    parser.add_argument("--clients", type=Path, required=True, help="folder of the installed packages")
    parser.add_argument("--runs", type=int, default=10, help="bursts, answers and stops of each client")
    parser.add_argument("--only", help="beginnings of names, by commas; the floor is always measured")
    parser.add_argument("--json", type=Path, help="where every single value is written")
    return parser.parse_args()


if __name__ == "__main__":
    args = arguments()
    if "RIG_DIR" not in os.environ:
        sys.exit("This plays and records: run it inside tests/desktop/rig.sh.")
    args.program, args.clients = args.program.resolve(), args.clients.resolve()
    sys.path.insert(0, str(args.clients / "python"))
    from conduct import conduct

    asyncio.run(conduct(args))
