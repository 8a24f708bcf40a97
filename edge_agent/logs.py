"""Logs on stderr, for people or as JSON lines. They hold words and numbers: no secret, no pixel."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from typing import Any, Literal

import structlog

from edge_agent.media.urls import redact_url

_URL = re.compile(r"(?:listen:)?[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]+")


def configure_logs(style: Literal["human", "json"], level: str = "info") -> None:
    """Send every log line to stderr, from `level` (debug, info, warning, error) on.

    Addresses lose their passwords, queries and stream keys. Only plain values are written: of
    anything else, an array or a frame, just the name of its type.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=style == "json"),
            # Plain: rich's tracebacks show local values, and those may be pixels.
            structlog.processors.format_exc_info,
            keep_plain,
            _renderer(style),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Looked up for each line: a progress bar puts its own stream in stderr's place.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def keep_plain(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: only words and numbers pass, and addresses only without secrets."""
    for key, value in event.items():
        event[key] = _plain(value)
    return event


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | PurePath | BaseException):
        return _URL.sub(lambda match: redact_url(match.group()), str(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return f"<{type(value).__name__}>"


def _renderer(style: Literal["human", "json"]) -> structlog.typing.Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
