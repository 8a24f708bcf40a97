"""Addresses of sources and sinks, and how to show them without their secrets."""

from __future__ import annotations

from urllib.parse import urlsplit

HIDDEN = "***"
KEYED_SCHEMES = frozenset({"rtmp", "rtmps", "rtmpt", "rtmpe"})


def redact_url(url: str) -> str:
    """`url` without user, password, query and stream key: fit for logs and errors.

    The last part of an RTMP path is a stream key, as is that of every address which is listened
    at. Plain paths come back as they are.
    """
    if "://" not in url:
        return url
    prefix = ""
    if url.startswith("listen:"):
        prefix, url = "listen:", url.removeprefix("listen:")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{prefix}{url.split('://', 1)[0]}://{HIDDEN}"
    path = parts.path
    if (prefix or parts.scheme in KEYED_SCHEMES) and path.count("/") >= 2:
        path = f"{path.rsplit('/', 1)[0]}/{HIDDEN}"
    user = f"{HIDDEN}@" if "@" in parts.netloc else ""
    query = f"?{HIDDEN}" if parts.query else ""
    return f"{prefix}{parts.scheme}://{user}{host}{port}{path}{query}"


def scheme_of(url: str) -> str:
    """`rtmp` for `rtmp://…`, `listen` for `listen:…`, `file` for a path (also `C:\\…`)."""
    head, separator, _ = url.partition(":")
    return head.lower() if separator and len(head) > 1 and "/" not in head else "file"
