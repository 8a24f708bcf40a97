"""docs/aws.md against what it says is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.infra.terraform import SOURCE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")


def test_it_takes_ten_lines_from_an_account_to_a_stream() -> None:
    first = GUIDE.split("```sh\n")[1].split("```")[0].strip().splitlines()
    assert len(first) == 10
    assert "fleet stream add" in first[-1]


def test_files_and_links_are_there() -> None:
    for path in re.findall(r"`((?:deploy|infra|benchmarks|tests)/[\w./-]+)`", GUIDE):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (ROOT / "docs" / link).exists(), link
    for name in re.findall(r"`([\w.]+\.(?:tf|example))`", GUIDE):
        assert (SOURCE / name).exists() or name == "backend.tf", name


def test_it_names_every_module_but_the_one_that_two_share() -> None:
    table = GUIDE.split("| Module | What |")[1].split("\n\n")[0]
    named = set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.M))))
    assert named == {path.name for path in (SOURCE / "modules").iterdir()} - {"bucket"}


def test_the_example_sets_variables_that_there_are() -> None:
    known = set(re.findall(r'^variable "(\w+)"', (SOURCE / "variables.tf").read_text(), re.M))
    example = (SOURCE / "terraform.tfvars.example").read_text()
    used = set(re.findall(r"^(?:# )?(\w+) +=", example, re.MULTILINE))
    assert {"fleet", "region", "package", "force_destroy"} <= used <= known
    assert set(re.findall(r"`(\w+) = ", GUIDE)) <= known
