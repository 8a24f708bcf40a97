"""Which version of the agent this is, as the fleet is told."""

from __future__ import annotations

import re
from importlib.metadata import version


def agent_version() -> str:
    """Three numbers; what a pre-release adds to them is left out."""
    found = re.match(r"\d+(\.\d+){0,2}", version("veilcast"))
    numbers = found[0].split(".") if found else []
    return ".".join([*numbers, "0", "0", "0"][:3])
