"""Tries the encoder, a source or a sink before it counts: each returns a line for people."""

from __future__ import annotations

import os
import socket
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from edge_agent.errors import SinkError
from edge_agent.frame import Colour
from edge_agent.media.encode import EncoderSettings, open_stream
from edge_agent.media.failure import in_words
from edge_agent.media.output import opener_for
from edge_agent.media.source import open_source
from edge_agent.media.urls import redact_url, scheme_of
from edge_agent.media.whip.terms import Terms

PORTS = {"rtmp": 1935, "rtmps": 443}
PATIENCE_S = 5.0


def probe_encoder(settings: EncoderSettings) -> str:
    """Open the encoder at 720p. Raises SinkError when it cannot be."""
    open_stream((1280, 720), Fraction(1, 90_000), Fraction(30), settings, Colour())
    return f"H.264 by libx264, preset {settings.preset}"


def probe_source(url: str, camera: Terms) -> str:
    """Open a source and read its first picture. Raises SourceError when there is none.

    A listener is only tried for its port: it would wait for somebody to come.
    """
    source = open_source(url, live=True, camera=camera)
    try:
        if scheme_of(url) == "listen":
            return f"{redact_url(url)}: ready, waiting for a publisher"
        info = source.info
    finally:
        source.close()
    sound = f"sound {info.audio.codec}" if info.audio else "no sound"
    return (
        f"{info.url}: {info.width}x{info.height}, {float(info.fps):.4g} fps, {info.codec}, {sound}"
    )


def probe_sink(url: str) -> str:
    """See whether the server answers or the folder can be written. Raises SinkError if not."""
    opener_for(url)
    shown, scheme = redact_url(url), scheme_of(url)
    if scheme in PORTS:
        parts = urlsplit(url)
        try:
            where = (parts.hostname or "", parts.port or PORTS[scheme])
            socket.create_connection(where, PATIENCE_S).close()
        except OSError as error:
            raise SinkError(f"cannot reach {shown}: {in_words(error)}; check the address") from None
        return f"{shown}: the server answers"
    if scheme == "file":
        folder = next(
            f for f in (Path(url).absolute(), *Path(url).absolute().parents) if f.is_dir()
        )
        if not os.access(folder, os.W_OK):
            raise SinkError(f"cannot write {shown}: you may not write in {folder}")
    return f"{shown}: ready"
