"""python -m tests.torture [collector|both|database|network|disk …] [--rounds 1000] [--seed N]"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

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
    print(f"seed {args.seed}")
    for fault in args.faults:
        with tempfile.TemporaryDirectory(prefix="sojourn-torture-") as folder:
            print(f"{fault}, {args.rounds} rounds: {FAULTS[fault](Path(folder), args.rounds, args.seed)}")


if __name__ == "__main__":
    main()
