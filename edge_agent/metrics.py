"""Prometheus metrics of one stream, read from its counts at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from edge_agent.live_state import LiveState
from edge_agent.redact.protected import State


class StreamMetrics(Collector):
    """The metrics of one stream in a registry of their own. Names are part of the interface."""

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._frames()
        yield from self._looks()
        yield from self._now()
        yield from self._of_sinks()

    def _frames(self) -> Iterator[Metric]:
        counts, gate = self._state.stream.counts, self._state.stream.gate
        yield _counter(
            "unverified_frames_sent",
            "Frames that left without a fresh decision. Always 0: alert on anything else.",
            gate.counts.unverified_sent,
        )
        yield _counter("frames_in", "Frames that the source handed over.", counts.frames_in)
        states = [((state.value,), n) for state, n in gate.counts.by_state.items()]
        yield _by("frames_out", "Frames that left, by state.", ("state",), states)
        reasons = [((reason,), n) for reason, n in dict(counts.veil_reasons).items()]
        yield _by("veiled_frames", "Frames veiled or held, by reason.", ("reason",), reasons)
        yield _counter(
            "rescued_frames",
            "Frames that would have shown an object without the look-ahead.",
            counts.rescued,
        )
        lost = {
            "in": counts.dropped_in,
            "out": counts.dropped_out,
            "panic": counts.discarded_by_panic,
        }
        places = [((place,), number) for place, number in lost.items()]
        yield _by("dropped_frames", "Frames that never left, and where.", ("where",), places)
        yield _counter("slates", "Slates sent while the source was silent.", counts.slates)
        yield _counter(
            "damaged_packets", "Packets that could not be decoded.", counts.damaged_packets
        )
        objects = [((label,), number) for label, number in counts.objects.items()]
        yield _by("objects", "Objects covered, by class.", ("label",), objects)

    def _looks(self) -> Iterator[Metric]:
        counts = self._state.stream.counts
        looks = counts.looks + counts.second_looks
        yield SummaryMetricFamily(
            "veilcast_detector_seconds", "Time that looks took.",
            count_value=looks, sum_value=counts.look_seconds,
        )  # fmt: skip
        yield SummaryMetricFamily(
            "veilcast_decision_age_seconds", "Stream time between a frame and its decision.",
            count_value=counts.protected, sum_value=counts.decision_age_seconds,
        )  # fmt: skip
        yield _counter("looks_failed", "Looks that failed or proved nothing.", counts.looks_failed)
        yield _counter("looks_late", "Looks that came after their frame left.", counts.looks_late)
        yield _counter(
            "detector_restarts", "Detectors replaced because they hung.", counts.detector_restarts
        )

    def _now(self) -> Iterator[Metric]:
        standing = self._state.feed.standing(self._state.stream.gate)
        state = GaugeMetricFamily("veilcast_state", "1 for the state shown.", labels=["state"])
        for each in State:
            state.add_metric([each.value], float(each is standing.state))
        yield state
        yield _gauge("panic", "1 while panic holds the stream.", self._state.stream.gate.panicking)
        yield _gauge("fps", "Frames that leave each second.", self._state.feed.fps())
        yield _gauge(
            "av_offset_seconds",
            "How much later than picture sound leaves, against the source.",
            self._state.stream.counts.av_offset_seconds,
        )
        delay = self._state.feed.delay_seconds()
        if delay is not None:
            yield _gauge("delay_seconds", "From capture to leaving, newest frame.", delay)

    def _of_sinks(self) -> Iterator[Metric]:
        # The number keeps two sinks apart whose addresses look alike without their keys.
        sinks = [((str(i), sink.url), sink) for i, sink in enumerate(self._state.sinks())]
        names = ("sink", "url")
        connected = GaugeMetricFamily("veilcast_sink_connected", "1 while connected.", labels=names)
        failed = GaugeMetricFamily("veilcast_sink_failed", "1 when given up.", labels=names)
        for name, sink in sinks:
            connected.add_metric(name, float(sink.connected))
            failed.add_metric(name, float(sink.failed is not None))
        yield connected
        yield failed
        reconnects = ((name, sink.reconnects) for name, sink in sinks)
        yield _by("sink_reconnects", "Connections lost and tried again.", names, reconnects)
        dropped = ((name, sink.dropped) for name, sink in sinks)
        yield _by("sink_dropped_packets", "Packets the sink could not take.", names, dropped)
        sent = ((name, sink.sent) for name, sink in sinks)
        yield _by("sink_bytes", "Bytes given to the sink.", names, sent)


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"veilcast_{name}", help_text, value=value)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"veilcast_{name}", help_text, value=value)


def _by(
    name: str,
    help_text: str,
    labels: Sequence[str],
    values: Iterable[tuple[Sequence[str], float]],
) -> Metric:
    family = CounterMetricFamily(f"veilcast_{name}", help_text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
