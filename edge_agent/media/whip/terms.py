"""Who may publish a camera to this agent, and how its door is shown to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def untold(_: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Terms:
    """origins: of the pages that may publish, such as https://control.example:8443. certificate,
    key: PEM files to serve HTTPS with. told: is given the SHA-256 (64 hexadecimal digits) of the
    certificate that this agent shows to publishers, by which a page can know it."""

    origins: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    told: Callable[[str], None] = untold
