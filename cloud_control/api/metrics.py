"""What a monitoring system reads: numbers of the fleet, no names of people or streams."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.plane import Plane
from cloud_control.service.standings import Standing

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def metrics_router(plane: Plane, who: Who) -> APIRouter:
    routes = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(_Fleet(plane))

    @routes.get("/metrics")
    def metrics(_: OperatorToken = who.at_least(Role.VIEWER)) -> Response:
        """In Prometheus's text format; scrape with a viewer's token."""
        return Response(generate_latest(registry), media_type=TEXT)

    return routes


class _Fleet(Collector):
    """Counts when asked."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def collect(self) -> Iterator[Metric]:
        live = self._plane.live
        fleet, standings = self._plane.fleet, list[Standing]()
        for page in self._plane.documents.agents.pages(f"{fleet}/"):
            found = live.of_many(fleet, [one.id for one in page])
            standings += [found[one.id] for one in page if not one.revoked]
        yield GaugeMetricFamily("veilcast_agents", "Enrolled agents", len(standings))
        online = sum(one.online for one in standings)
        yield GaugeMetricFamily("veilcast_agents_online", "Connected agents", online)
        yield GaugeMetricFamily(
            "veilcast_mqtt_connected", "Whether agents are heard", int(self._plane.bus.connected)
        )
        unverified = sum(one.unverified for one in standings)
        yield GaugeMetricFamily(
            "veilcast_fleet_unverified_frames_sent", "Must be 0: alert on more", unverified
        )
        states = GaugeMetricFamily("veilcast_streams", "Streams by state", labels=["state"])
        shown = [
            state.state for one in standings for state in one.streams.values() if one.current(state)
        ]
        for state in ("PROTECTED", "DEGRADED", "HELD", "OFF"):
            states.add_metric([state], shown.count(state))
        yield states
        received = CounterMetricFamily(
            "veilcast_messages_received", "Messages of agents", labels=["kind"]
        )
        for kind, count in dict(live.received).items():
            received.add_metric([kind], count)
        yield received
        refused = CounterMetricFamily(
            "veilcast_messages_refused", "Messages that broke the contract", labels=["reason"]
        )
        for reason, count in dict(live.refused).items():
            refused.add_metric([reason], count)
        yield refused
