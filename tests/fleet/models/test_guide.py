"""The operators' guide names every reason that a device may give."""

from __future__ import annotations

import re
from pathlib import Path

from edge_agent.fleet import self_test
from edge_agent.fleet.models import installer
from edge_agent.fleet.models.outcomes import OF_THE_REPOSITORY

GUIDE = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")


def test_every_reason_is_in_the_guide() -> None:
    sources = [*Path(installer.__file__).parent.glob("*.py"), Path(self_test.__file__)]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    raised = set(re.findall(r'(?:RefusedError|SelfTestError|_go_back)\("([a-z_]+)"\)', text))
    returned = set(re.findall(r'return "([a-z_]+)"', text))
    reasons = raised | returned | OF_THE_REPOSITORY
    assert {"wrong_hash", "trial_slow", "looks_failed", "self_test_failed"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in GUIDE} == set()
