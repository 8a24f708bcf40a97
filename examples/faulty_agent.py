"""`veilcast agent` whose streams' workers have the faults of `examples.faults`."""

from __future__ import annotations

import sys

from edge_agent.cli import main
from edge_agent.worker import child

if __name__ == "__main__":
    child.COMMAND = (sys.executable, "-u", "-m", "examples.faults")
    main()
