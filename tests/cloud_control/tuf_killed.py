"""Kills changes of a model repository at each of their steps, and looks at what is left.

python -m tests.cloud_control.tuf_killed FOLDER CHANGE prints a JSON line for each step.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloud_control.tuf.repository import ModelRepository
from tests.cloud_control.tuf_models import Eyes, new_repository, repository_in, small_model

CHANGES: Mapping[str, Callable[[ModelRepository], object]] = {
    "publish": lambda repository: repository.publish(small_model("2.0.0")),
    "revoke": lambda repository: repository.revoke("veil", "1.0.0"),
    "rotate": lambda repository: [repository.rotate(role) for role in ("timestamp", "root")],
}


def watched(real: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """Every call is a step; the one that `left` counts down to is the last."""

    def step(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    return step


def killed_at(at: int, folder: Path, change: str) -> bool:
    """Whether the change was killed in its step `at`; False: it came to its end before."""
    child = os.fork()
    if child == 0:
        left = [at]
        try:
            os.replace, os.unlink = watched(os.replace, left), watched(os.unlink, left)
            CHANGES[change](repository_in(folder))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}, f"step {at} ended with {code}"
    return code != 0


def main(folder: Path, change: str) -> None:
    first = new_repository(folder / "first")
    first.publish(small_model("1.0.0"))
    at, killed = 0, True
    while killed:
        at += 1
        copy = folder / str(at)
        shutil.copytree(folder / "first", copy)
        repository = repository_in(copy)
        eyes = Eyes(repository, folder / f"cache-{at}")
        killed = killed_at(at, copy, change)
        seen = sorted(eyes.targets())
        repository.publish(small_model("3.0.0"))
        repository.rotate("snapshot")
        line = {"killed": killed, "seen": seen, "later": sorted(eyes.targets())}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    os.fsync = lambda _: None  # the machine stays up
    main(Path(sys.argv[1]), sys.argv[2])
