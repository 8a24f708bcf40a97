"""docs/operations.md against the product: what it tells to type, to watch and to keep."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from edge_agent.metrics import StreamMetrics
from tests.cloud_control.command_plane import operating
from tests.command_lines import lines_of
from tests.edge_agent.stand_in_stream import live_state
from tests.fleet.test_keeping import BACKED_UP

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = lines_of(GUIDE)
METRIC = re.compile(r"`(veilcast_[a-z_]+)")


def test_the_guide_tells_what_to_type() -> None:
    typed = {" ".join(words[:2]) for words in COMMANDS}
    assert {"control init", "control serve", "fleet token", "consent revoke", "redact"} <= {
        *typed, *(one.split()[0] for one in typed)
    }  # fmt: skip
    assert len(COMMANDS) > 25


def test_every_metric_is_exported(tmp_path: Path) -> None:
    named = set(METRIC.findall(GUIDE))
    with operating(tmp_path) as operator:
        answer = httpx.get(
            f"{operator.url}/metrics", headers={"Authorization": f"Bearer {operator.token}"}
        )
        fleet = answer.text
    shown = fleet + StreamMetrics(live_state()).text().decode()
    families = set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))
    assert len(named) > 15
    assert named - families == set()


def test_the_backup_is_the_one_that_was_restored() -> None:
    (line,) = re.findall(r"^tar -c (.+?) \|", GUIDE, re.MULTILINE)
    assert line.split() == [*BACKED_UP, "backup.sqlite"]


def test_files_and_links_of_the_guide_are_there() -> None:
    for path in re.findall(r"(deploy/[\w./-]+|compose\.yaml)", GUIDE):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        if "://" not in link:
            assert (ROOT / "docs" / link).exists(), link
    titles = {re.sub(r"\W+", "-", one.lower()) for one in re.findall(r"^## (.+)$", GUIDE, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= titles
