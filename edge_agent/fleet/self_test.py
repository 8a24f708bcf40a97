"""Tests a model in a process of its own, so that one that crashes or hangs harms nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 90.0


class SelfTestError(Exception):
    """The model did not pass; the message is a token for the fleet."""


def run_self_test(card: Path) -> dict[str, float]:
    """The score at which each sample was found, by label. Raises SelfTestError."""
    command = [sys.executable, "-m", "edge_agent.fleet.self_test", str(card)]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise SelfTestError("hangs") from None
    except OSError:
        raise SelfTestError("cannot_run") from None
    if ended.returncode == 3:
        raise SelfTestError("self_test_failed")
    if ended.returncode:
        raise SelfTestError("crashes")
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _main(card: Path) -> int:
    from edge_agent.detect.card import load_card
    from edge_agent.detect.self_test import self_test
    from edge_agent.detect.variant import variant_for_this_cpu
    from edge_agent.errors import ModelError

    try:
        scores = self_test(variant_for_this_cpu(load_card(card)))
    except ModelError as problem:
        sys.stderr.write(f"{problem}\n")
        return ModelError.exit_code
    sys.stdout.write(json.dumps(scores))
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
