"""The one error of the contract, with a code that both sides can count and compare."""

from __future__ import annotations

from enum import StrEnum

_DETAIL_LENGTH = 200


class Reason(StrEnum):
    """Why a topic or a payload was refused."""

    BAD_TOPIC = "bad_topic"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    BAD_NUMBER = "bad_number"
    NOT_AN_OBJECT = "not_an_object"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_FIELD = "unknown_field"
    INVALID = "invalid"
    TOO_MANY_ZONES = "too_many_zones"


class ContractError(Exception):
    """A topic or payload breaks the contract. `detail` is short, printable and free of secrets."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = printable(detail, _DETAIL_LENGTH)
        super().__init__(f"{reason}: {self.detail}" if self.detail else str(reason))


def printable(text: str, length: int) -> str:
    """Text from outside, cut and without anything that a log or terminal could act on."""
    kept = text[:length]
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in kept)
