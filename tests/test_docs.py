"""The command line as README and docs tell to type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_lines import lines_of, parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
STAND_INS = {"…", "COMMAND"}  # for what a line leaves open
TYPED = [
    pytest.param(words, id=f"{page.stem}: {' '.join(words)}")
    for page in PAGES
    for words in lines_of(page.read_text(encoding="utf-8"))
    if not STAND_INS & set(words)
]


@pytest.mark.parametrize("words", TYPED)
def test_a_command_that_is_told_to_type_is_one(words: list[str]) -> None:
    parse(words)


def test_there_are_many() -> None:
    assert len(TYPED) > 100
