"""Counts and timings of an agent and its streams: numbers only, no text, nothing of any picture."""

from __future__ import annotations

from pydantic import Field

from fleet_contract.desired import MAX_STREAMS
from fleet_contract.fields import Count, Id, Message, Millis, Ordinal, Part, Rate, Seconds


class Objects(Part):
    """How many different objects of each class were covered."""

    license_plate: Count = Field(0, description="license plates")
    id_card: Count = Field(0, description="identity cards")
    shipping_label: Count = Field(0, description="shipping labels")


class StreamCounts(Part):
    """Totals since the stream's worker began, and its present rates."""

    id: Id = Field(description="the stream's id")
    fps: Rate = Field(0.0, description="frames a second that leave")
    looks_per_second: Rate = Field(0.0, description="looks of the detector a second")
    look_seconds: Seconds = Field(0.0, description="mean seconds that a look takes")
    decision_age: Seconds = Field(0.0, description="mean seconds between a frame and its decision")
    av_offset: float = Field(
        0.0, ge=-3600.0, le=3600.0, description="seconds that sound is later than the picture"
    )
    frames_in: Count = Field(0, description="frames that came in")
    frames_protected: Count = Field(0, description="frames that left covered")
    frames_veiled: Count = Field(0, description="frames that left veiled as a whole")
    frames_dropped: Count = Field(0, description="frames that never left")
    frames_rescued: Count = Field(0, description="frames that only the look-ahead saved")
    unverified_frames_sent: Count = Field(0, description="always 0: alert on anything else")
    looks_failed: Count = Field(0, description="looks that failed or proved nothing")
    detector_restarts: Count = Field(0, description="restarts of the detector")
    worker_restarts: Count = Field(0, description="restarts of the stream's worker")
    reconnects: Count = Field(0, description="new connections of its source and sinks")
    bytes_out: Count = Field(0, description="bytes sent to all sinks together")
    objects: Objects = Field(Objects(), description="objects covered")


class DroppedCommands(Part):
    """Commands dropped since the agent began, by reason."""

    retained: Count = Field(0, description="came from the broker's store")
    expired: Count = Field(0, description="came too late")
    from_future: Count = Field(0, description="issued later than now")
    repeated: Count = Field(0, description="seen before")
    unknown: Count = Field(0, description="no command of this agent")
    foreign: Count = Field(0, description="meant for another agent")
    malformed: Count = Field(0, description="topic or payload broke the contract")


class Spool(Part):
    """Protected video that waits on disk for the uplink."""

    segments: Count = Field(0, description="segments waiting")
    bytes: Count = Field(0, description="their size in bytes")
    segments_lost: Count = Field(0, description="segments given up because the disk was full")


class Telemetry(Message):
    """Sent every `telemetry_seconds` while connected; a lost one is not sent again."""

    at: Millis = Field(description="when it was written, ms since 1970-01-01 UTC")
    connection: Ordinal = Field(description="the agent's connection, as in its status")
    uptime: Seconds = Field(description="seconds since the agent began")
    cpu: float = Field(ge=0.0, le=1000.0, description="processor cores in use, all its processes")
    memory: Count = Field(description="bytes in use, all its processes")
    streams: tuple[StreamCounts, ...] = Field((), max_length=MAX_STREAMS, description="its streams")
    dropped_commands: DroppedCommands = Field(
        DroppedCommands(), description="commands not carried out"
    )
    spool: Spool = Field(Spool(), description="video waiting for upload")
