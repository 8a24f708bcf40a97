"""What the public is told of a stream: never more than its agent and the ingest both know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cloud_control.domain.fleet import Stream
from cloud_control.ingest.port import Event, Kind
from fleet_contract.stream_state import StreamState

Badge = Literal["PROTECTED", "DEGRADED", "HELD", "OFF"]


@dataclass(frozen=True, slots=True)
class Flow:
    """What the ingest told so far. playing: segments come; over: players were told that nothing
    more comes; since, changed: when it went on the air and when it last changed, ms."""

    playing: bool = False
    over: bool = True
    since: int = 0
    changed: int = 0

    def after(self, event: Event) -> Flow:
        now_ms = int(event.at * 1000)
        if event.kind is Kind.PUBLISH and self.over:
            return Flow(over=False, since=now_ms, changed=now_ms)
        return replace(
            self,
            playing=event.kind is Kind.PLAYABLE and not self.over,
            over=self.over or event.kind is Kind.ENDED,
            changed=now_ms,
        )


@dataclass(frozen=True, slots=True)
class Word:
    """The agent's part. state: of its present connection, None where it has said nothing;
    left: the agent ended as planned; bare_lately: players may still show pictures that left bare.
    """

    state: StreamState | None = None
    left: bool = False
    bare_lately: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing leaves the agent any more."""
        return self.left or (self.state is not None and self.state.run in {"stopped", "failed"})

    @property
    def final(self) -> bool:
        """Whether nobody expects the stream back soon."""
        return self.state is not None and self.state.run == "stopped"


@dataclass(frozen=True, slots=True)
class Listing:
    """A stream in the directory. live: pictures come now; may_return: it was cut off and may go on;
    state: None where nobody can tell; exceptions: something is not hidden, by consent given on the
    device; started_at: ms; playback: the address of its playlist; thumbnail: that of a small
    picture, if there is one."""

    id: str
    title: str
    category: int
    live: bool
    may_return: bool
    state: Badge | None
    exceptions: bool
    started_at: int
    viewers: int
    playback: str
    thumbnail: str | None = None


def listing(
    stream: Stream, flow: Flow, word: Word, viewers: int, playback: str, thumbnail: str | None
) -> Listing:
    """Of the agent, the ingest and the playlist, the first to know of an end counts."""
    live = flow.playing and not flow.over and not word.over
    return Listing(
        id=stream.id,
        title=stream.title,
        category=stream.category,
        live=live,
        may_return=not live and not flow.over and not word.final,
        state=_badge(word) if live else None,
        exceptions=live and word.state is not None and bool(word.state.loosened),
        started_at=flow.since,
        viewers=viewers if live else 0,
        playback=playback,
        thumbnail=thumbnail if live else None,
    )


def _badge(word: Word) -> Badge | None:
    if word.bare_lately:
        return "OFF"
    return word.state.state if word.state is not None else None
