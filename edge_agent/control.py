"""How a person steers a running stream from its terminal: keys and signals."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

from edge_agent.pipeline import Pipeline

log = structlog.get_logger()

KEYS_HELP = "p panic, r release, q quit"
PANIC_SIGNAL, RELEASE_SIGNAL = "SIGUSR1", "SIGUSR2"


def panic(pipeline: Pipeline, by: str) -> None:
    """Drop every held frame and show nothing from now on."""
    log.warning("panic", by=by)
    pipeline.gate.panic()
    pipeline.wake()


def release(pipeline: Pipeline, by: str) -> None:
    """End a panic: the picture comes back, protected."""
    log.warning("panic_released", by=by)
    pipeline.gate.release()
    pipeline.wake()


@contextmanager
def steered(pipeline: Pipeline) -> Iterator[None]:
    """While inside: Ctrl-C and SIGTERM end the stream cleanly, a second Ctrl-C at once; SIGUSR1
    panics, SIGUSR2 releases; and keys do the same when there is a terminal."""
    before = {number: signal.getsignal(number) for number in _signals()}

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log.info("stopping", by=signal.Signals(number).name)
        pipeline.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    for name, act in ((PANIC_SIGNAL, panic), (RELEASE_SIGNAL, release)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_, act=act, name=name: act(pipeline, name))
    try:
        with _keys(pipeline):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", PANIC_SIGNAL, RELEASE_SIGNAL)
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextmanager
def _keys(pipeline: Pipeline) -> Iterator[None]:
    """Read single keys in a thread of their own; the terminal is put back as it was."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import termios
        import tty
    except ImportError:  # Windows: the page and the local call remain
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    threading.Thread(target=_read_keys, args=(pipeline,), name="keys", daemon=True).start()
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _read_keys(pipeline: Pipeline) -> None:
    while key := sys.stdin.read(1):
        if key in "pP":
            panic(pipeline, "key")
        elif key in "rR":
            release(pipeline, "key")
        elif key in "qQ":
            pipeline.stop()
            return
