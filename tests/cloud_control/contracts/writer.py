"""Writes pairs that must always agree, one commit after the other, until it is killed.

python -m tests.cloud_control.contracts.writer FILE prints the number of each commit that is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cloud_control.adapters.sqlite.store import SqliteStore
from cloud_control.ports import Put

PAIR = ("left", "right")


def main(path: Path) -> None:
    store = SqliteStore(path)
    there = store.get("pair", PAIR[0])
    number = there.revision if there else 0
    while True:
        store.commit([Put("pair", side, str(number + 1), number) for side in PAIR])
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
