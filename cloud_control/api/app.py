"""The HTTP API of the control plane: one application, its parts, its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from cloud_control.api import agents, enrol, events, operators, rollouts, streams
from cloud_control.api.events import Follow
from cloud_control.api.metrics import metrics_router
from cloud_control.api.problems import explain
from cloud_control.api.uploads import tickets_router, uploads_router
from cloud_control.api.who import Guesses, Who
from cloud_control.plane import Plane
from cloud_control.service.uploads import Tickets, Uploads


@dataclass(frozen=True, slots=True)
class Reach:
    """What devices are told when they join.

    broker: host and port of MQTT over TLS; authority: PEM of the certificates to trust; root: reads
    the TUF root of trust (JSON); models: the folder of the TUF repository, served below /models;
    url: by which devices reach this API, without a slash at its end; models_url: where the TUF
    repository is served, if it is not below that.
    """

    broker: tuple[str, int]
    authority: str
    root: Callable[[], dict[str, Any]]
    models: Path | None
    url: str
    models_url: str | None = None


def create_app(
    plane: Plane,
    reach: Reach,
    uploads: Uploads | Tickets | None = None,
    *more: APIRouter,
    follow: Follow = events.follow,
) -> FastAPI:
    """The application; `more` are routers of other parts, such as the ingest's hooks. follow: how
    events are told."""
    app = FastAPI(
        title="Veilcast control plane",
        version=version("veilcast"),
        description="Agents, streams, protection and model rollouts of one fleet.",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    explain(app)
    who = Who(plane.access, plane.enrolment, Guesses(plane.clock))
    for router in (
        enrol.router(plane, who, reach),
        agents.router(plane, who),
        streams.router(plane, who),
        rollouts.router(plane, who),
        operators.router(plane, who),
        events.router(plane, who, follow),
        metrics_router(plane, who),
        *more,
    ):
        app.include_router(router)
    if isinstance(uploads, Uploads):
        app.include_router(uploads_router(uploads, who.device))
    elif uploads is not None:
        app.include_router(tickets_router(uploads, who.device))

    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def readyz() -> JSONResponse:
        """Agents can be heard and told."""
        ready = plane.bus.connected
        return JSONResponse(
            {"status": "ok" if ready else "no broker", "fleet": plane.fleet}, 200 if ready else 503
        )

    if reach.models is not None:
        app.mount("/models", StaticFiles(directory=reach.models), name="models")
    return app
