"""Faults that a detector can be given while it runs, to show what viewers see then.

A file says which: the demonstration writes it, the worker of `examples.faulty_agent` reads it at
each look.
"""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from pathlib import Path

ORDERS = "DEMO_FAULT_FILE"
HANG_S, STARVE_S = 6.0, 1.0


class Fault(StrEnum):
    NONE = "none"
    HANG = "hang"
    STARVE = "starve"
    FAIL = "fail"


def order(file: Path, fault: Fault) -> None:
    """Have the detector suffer so from its next look on."""
    draft = file.with_suffix(".draft")
    draft.write_text(fault)
    draft.replace(file)


def suffer(file: Path) -> None:
    """What the fault of the moment does to a look. Raises RuntimeError if it has to fail."""
    fault = Fault(file.read_text())
    if fault is Fault.FAIL:
        raise RuntimeError("a fault of the demonstration")
    if fault is Fault.STARVE:
        time.sleep(STARVE_S)
    until = time.monotonic() + HANG_S
    while fault is Fault.HANG and time.monotonic() < until:
        time.sleep(0.1)
        fault = Fault(file.read_text())


def main() -> int:
    """A stream's worker whose detector has the faults. What guards it is as it always is."""
    from edge_agent.detect.onnx_detector import OnnxDetector
    from edge_agent.worker.__main__ import main as work

    file = Path(os.environ[ORDERS])
    look = OnnxDetector.look

    def faulty(detector: OnnxDetector, *asked: object, **how: object) -> object:
        suffer(file)
        return look(detector, *asked, **how)  # type: ignore[arg-type]

    OnnxDetector.look = faulty  # type: ignore[assignment,method-assign]
    return work()


if __name__ == "__main__":
    sys.exit(main())
