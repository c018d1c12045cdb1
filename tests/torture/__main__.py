"""python -m tests.torture [collector|both|database|network|disk …] [--rounds 1000] [--seed N]"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from pathlib import Path

from tests import bytecode
from tests.torture.killed import cut_network, full_disk, killed_collector, killed_database, killed_with_database

FAULTS = {
    "collector": killed_collector,
    "both": killed_with_database,
    "database": killed_database,
    "network": cut_network,
    "disk": full_disk,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[*FAULTS, []], default=list(FAULTS))
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = parser.parse_args()
    bytecode.keep()
    print(f"seed {args.seed}", flush=True)
    for fault in args.faults:
        folder = Path(tempfile.mkdtemp(prefix="sojourn-torture-"))  # it is left there after a failure, to look at
        print(f"{fault}, {args.rounds} rounds in {folder}", flush=True)
        print(f"{fault}, {args.rounds} rounds: {FAULTS[fault](folder, args.rounds, args.seed)}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
