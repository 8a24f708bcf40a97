"""A process of its own for each network output: copies standard input to an address.

FFmpeg's network writers can block for as long as the network pleases, with the interpreter
locked; here they block nobody. The first line on standard input is the address (never an
argument, which every user of the machine could read); what follows goes there byte for byte,
already in the container that its protocol wants. Answers on standard output: `connected`, or
`error: …` in plain words.
"""

from __future__ import annotations

import os
import re
import ssl
import sys

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from edge_agent.media.failure import in_words

PIECE = 1 << 16


def main() -> int:
    """Copy until the input ends. The exit status is 0 only when everything was handed over."""
    url = _line(0)
    try:
        with _open(url) as sink:
            stream = sink.add_data_stream()
            sink.start_encoding()
            _say("connected")
            while piece := os.read(0, PIECE):
                packet = Packet(piece)
                packet.stream = stream
                sink.mux_one(packet)
    except (FFmpegError, OSError, ValueError) as error:
        trusted = "; is the server's certificate trusted here?" if _encrypted(url) else ""
        _say(f"error: {in_words(error)}{trusted}")
        return 1
    return 0


def _open(url: str) -> OutputContainer:
    """The muxer for plain data adds nothing: the bytes are a whole container already.

    By way of `tee` it takes options for the connection: the server must show a certificate that
    this machine trusts, which FFmpeg does not ask for by itself.
    """
    if not _encrypted(url):
        return av.open(url, "w", format="data")
    authorities = ssl.get_default_verify_paths().cafile
    trust = f":ca_file={authorities}" if authorities and ":" not in authorities else ""
    escaped = re.sub(r"([\\'|])", r"\\\1", url)
    return av.open(f"[f=data:tls_verify=1{trust}]{escaped}", "w", format="tee")


def _encrypted(url: str) -> bool:
    return url.lower().startswith("rtmps:")


def _line(descriptor: int) -> str:
    """Read up to a line's end and not a byte further: the rest is the stream."""
    read = bytearray()
    while (byte := os.read(descriptor, 1)) not in {b"\n", b""}:
        read += byte
    return read.decode()


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
