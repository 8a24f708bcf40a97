from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from edge_agent.live_state import LiveState
from edge_agent.metrics import StreamMetrics
from tests.edge_agent.shown import STALE, shown
from tests.edge_agent.stand_in_stream import live_state


def samples(state: LiveState) -> dict[tuple[str, tuple[str, ...]], float]:
    text = StreamMetrics(state).text().decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_stream_that_has_not_begun_has_its_metrics_already() -> None:
    read = samples(live_state())
    assert read["veilcast_unverified_frames_sent_total", ()] == 0
    assert read["veilcast_rescued_frames_total", ()] == 0
    assert read["veilcast_state", ("HELD",)] == 1
    assert read["veilcast_fps", ()] == 0


def test_metrics_follow_counts_gate_and_preview_at_the_moment_of_the_scrape() -> None:
    state = live_state()
    counts, gate = state.stream.counts, state.stream.gate
    metrics = StreamMetrics(state)
    first = metrics.text()
    counts.looks, counts.second_looks, counts.look_seconds = 20, 5, 0.5
    counts.av_offset_seconds = -0.004
    counts.rescued, counts.dropped_in, counts.discarded_by_panic = 4, 2, 7
    counts.veil_reasons["no look after it"] += 3
    counts.tracks.update({1: 0, 2: 0, 3: 2})
    state.feed.see(shown(gate, 0), rescued=False)
    state.feed.see(shown(gate, 1, verdict=STALE), rescued=False)
    assert metrics.text() != first

    read = samples(state)
    assert read["veilcast_detector_seconds_count", ()] == 25
    assert read["veilcast_detector_seconds_sum", ()] == 0.5
    assert read["veilcast_av_offset_seconds", ()] == -0.004
    assert read["veilcast_rescued_frames_total", ()] == 4
    assert read["veilcast_dropped_frames_total", ("in",)] == 2
    assert read["veilcast_dropped_frames_total", ("panic",)] == 7
    assert read["veilcast_veiled_frames_total", ("no look after it",)] == 3
    assert read["veilcast_objects_total", ("license_plate",)] == 2
    assert read["veilcast_frames_out_total", ("DEGRADED",)] == 1
    assert read["veilcast_state", ("DEGRADED",)] == 1
    assert read["veilcast_state", ("PROTECTED",)] == 0


def test_an_unverified_frame_would_show() -> None:
    state = live_state()
    state.stream.gate.counts.unverified_sent += 1
    assert samples(state)["veilcast_unverified_frames_sent_total", ()] == 1


def test_two_sinks_whose_addresses_look_alike_are_kept_apart() -> None:
    read = samples(live_state())
    url = "rtmp://live.example/app/***"
    assert read["veilcast_sink_connected", ("0", url)] == 1
    assert read["veilcast_sink_connected", ("1", url)] == 0
    assert read["veilcast_sink_failed", ("1", url)] == 1
    assert read["veilcast_sink_reconnects_total", ("0", url)] == 2
    assert read["veilcast_sink_bytes_total", ("0", url)] == 9000
