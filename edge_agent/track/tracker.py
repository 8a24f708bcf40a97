"""Where things are on every frame, from looks at some frames: before, between and after them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from edge_agent.boxes import LABELS, Detections, FloatArray, IntArray
from edge_agent.frame import Frame
from edge_agent.track.associate import match
from edge_agent.track.expect import LONGEST_GAP_NS, expect
from edge_agent.track.follow import Follower
from edge_agent.track.lines import Lines, readings
from edge_agent.track.moments import Moments
from edge_agent.track.motion import Reel
from edge_agent.track.place import place
from edge_agent.track.sightings import Bools, Boxes, Ints, Sightings

AT_ONCE = 4  # frames that are worked out together: until the next look, the answers stay the same
MOST_BOXES = 64  # ...unless there are so many that working them out in vain would cost more


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """strong: scores, by index into `LABELS`, from which a detection counts by itself; weaker ones
    count when a strong one stands on their track within `window_ns`. hold_ns: how long a lost
    object stays covered while its pixels can be followed."""

    strong: tuple[float, ...] = (0.5,) * len(LABELS)
    window_ns: int = 600_000_000
    hold_ns: int = 800_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TrackBoxes:
    """What to hide in one frame; one track may have several boxes.

    xyxy: (K, 4) float32 frame pixels inside the frame, motion margin included; track: (K,) int32
    id; label: (K,) int32, index into `LABELS`; score: (K,) float32, the track's best; rescued:
    (K,) whether the frame lies before the track's first strong detection.
    """

    xyxy: FloatArray
    track: IntArray
    label: IntArray
    score: FloatArray
    rescued: Bools

    def __len__(self) -> int:
        return len(self.xyxy)

    def take(self, rows: Bools) -> TrackBoxes:
        return TrackBoxes(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, parts: list[TrackBoxes]) -> TrackBoxes:
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @classmethod
    def empty(cls) -> TrackBoxes:
        none = np.zeros(0, np.int32)
        no_score, no_flag = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        return cls(np.zeros((0, 4), np.float32), none, none, no_score, no_flag)


class Tracker:
    """Sees every frame in small, notes what looks found, and says what to hide on a frame.

    A frame's boxes may be asked for at any time after it was seen; each later look makes the
    answer better. Times are integer nanoseconds of stream time.
    """

    def __init__(self, settings: TrackSettings) -> None:
        self.use(settings)
        self._reel = Reel()
        self._follower = Follower(self._reel)
        self._ids = 0
        self._uids = 0
        self._empty()

    def use(self, settings: TrackSettings) -> None:
        """Answer under other settings from now on; looks that were noted before keep their
        strength."""
        self.settings = settings
        self._strong = np.array(settings.strong, np.float32)
        longest_ns = max(LONGEST_GAP_NS, settings.window_ns, settings.hold_ns)
        self.keep_ns = 300_000_000 + longest_ns  # so long before a frame, looks matter to it
        self._changed()

    def _changed(self) -> None:
        """What was worked out no longer holds."""
        self._lines: list[Lines] | None = None
        self._answers: dict[int, TrackBoxes] = {}

    def _empty(self) -> None:
        self._table = Sightings.empty()
        self._changed()
        self._looks: list[int] = []  # at whole pictures

    def reset(self) -> None:
        """Forget everything but which track ids were used: after a time jump or a new size."""
        self._reel.clear()
        self._follower.clear()
        self._empty()

    def see(self, frame: Frame) -> None:
        """Take note of the next frame. It is only read, and not kept."""
        self._reel.add(frame.time_ns, frame.y)

    def observe(
        self, time_ns: int, found: Detections, whole: bool, strong: Bools | None = None
    ) -> None:
        """Note a look at the seen frame of that time.

        whole: the look covered the whole picture, so what it does not report was not seen;
        otherwise it only adds. strong: (N,) which detections count by themselves, if not those
        that the settings say.
        """
        self._changed()
        if whole:
            insort(self._looks, time_ns)
        if not len(found):
            return
        width, height = self._reel.size
        raw = found.xyxy.astype(np.float64)
        finite = np.asarray(np.isfinite(raw).all(axis=1))
        xyxy = np.where(finite[:, None], raw, [0, 0, width, height])
        if strong is None:
            strong = np.asarray(found.score >= self._strong[found.label], np.bool_)
        count = len(found)
        more = Sightings(
            uid=np.arange(self._uids, self._uids + count),
            track=self._continue(time_ns, xyxy, strong),
            time_ns=np.full(count, time_ns, np.int64),
            xyxy=xyxy,
            score=found.score,
            label=found.label.astype(np.int64),
            strong=strong,
            shot=np.full(count, self._reel.shot(time_ns), np.int64),
        )
        self._uids += count
        self._table = self._table.plus(more)

    def observe_anew(self, looks: Iterable[tuple[int, Detections, bool, Bools | None]]) -> None:
        """Forget all looks, and note these instead (as `observe` does): they are the same ones,
        judged otherwise. What was found before keeps its track's id."""
        before = self._table
        self._table, self._looks = Sightings.empty(), []
        for look in looks:
            self.observe(*look)
        self._table = self._table.named_like(before)
        self._follower.forget_except(set(self._table.uid.tolist()))
        self._changed()

    def _continue(self, time_ns: int, found: Boxes, strong: Bools) -> Ints:
        """The track id of each found box; what continues no track begins a new one."""
        ids = np.full(len(found), -1, np.int64)
        live = expect(self._table, self._reel, time_ns)
        free = np.ones(len(live.track), np.bool_)
        for boxes, reach, rivals in live.tries():
            for group in (strong, ~strong):
                rows, columns = np.flatnonzero(free), np.flatnonzero(group & (ids < 0))
                a, b = match(
                    boxes[rows],
                    reach[rows],
                    live.doubt[rows],
                    found[columns],
                    self._reel.size,
                    rivals=rivals,
                )
                ids[columns[b]] = live.track[rows[a]]
                free[rows[a]] = False
        new = np.flatnonzero(ids < 0)
        ids[new] = np.arange(self._ids, self._ids + len(new))
        self._ids += len(new)
        return ids

    def boxes_at(self, time_ns: int) -> TrackBoxes:
        """Everything to hide on the frame of that time, by all that is known now."""
        if time_ns not in self._answers:
            if self._lines is None:
                backed = self._table.backed(self.settings.window_ns)
                self._lines = readings(backed, self._reel)
            tracks = sum(len(lines.heads) for lines in self._lines)
            count = min(AT_ONCE, max(MOST_BOXES // max(tracks, 1), 1))
            times = np.array([time_ns, *self._reel.after(time_ns, count - 1)], np.int64)
            answers = [self._boxes_of(lines, times) for lines in self._lines]
            self._answers = {
                int(when): TrackBoxes.joined([answer[frame] for answer in answers])
                for frame, when in enumerate(times)
            }
        return self._answers[time_ns]

    def _boxes_of(self, lines: Lines, times: Ints) -> list[TrackBoxes]:
        """For each of the times (F,), what to hide by one reading of the tracks."""
        reach_ns = (self.settings.window_ns, self.settings.hold_ns)
        moments = Moments(lines, self._reel, self._looks, times, reach_ns)
        if not len(moments):
            return [TrackBoxes.empty()] * len(times)
        rows, boxes = place(moments, self._follower)
        width, height = self._reel.size
        xyxy = np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)
        shown = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        rows, xyxy = rows[shown], xyxy[shown]
        track, frame = moments.track[rows], moments.frame[rows]
        found = TrackBoxes(
            xyxy=xyxy,
            track=lines.table.track[lines.heads[track]].astype(np.int32),
            label=lines.label[track],
            score=lines.score[track],
            rescued=np.asarray(times[frame] < lines.first_strong_ns[track], np.bool_),
        )
        return [found.take(frame == number) for number in range(len(times))]

    def forget_before(self, time_ns: int) -> None:
        """No frame before this time will be asked for again."""
        oldest = time_ns - self.keep_ns
        self._reel.forget_before(oldest)
        del self._looks[: max(bisect_left(self._looks, oldest) - 1, 0)]
        old = self._table.time_ns < oldest
        if old.any():
            self._table = self._table.take(~old)
            self._follower.forget_except(set(self._table.uid.tolist()))
            self._changed()
