"""The pages of a site with streams in every state and a rollout under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from selenium import webdriver

from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router, playback_router
from cloud_control.api.pages import pages_router
from cloud_control.api.thumbnails import thumbnails_router
from cloud_control.domain.rollout_plan import AbortRule, Gate, Plan, Wave
from cloud_control.ingest.port import Kind
from cloud_control.ingest.stills import Stills
from cloud_control.pki import Authority
from cloud_control.service.streams import StreamRequest
from fleet_contract.endpoint import Endpoint
from fleet_contract.reported import HeldBack, Reported
from fleet_contract.stream_state import Loosened
from fleet_contract.topics import Kind as Channel
from fleet_contract.wanted_model import WantedModel
from tests.cloud_control.brokers import make_request
from tests.cloud_control.browsing import resize
from tests.cloud_control.serving import serving
from tests.cloud_control.test_directory import FLEET, Stage
from tests.cloud_control.test_pages import Site, make_playlist

CAMERA = "http://127.0.0.1:8889"
PAGES = {
    "watch list": "/",
    "one stream": "/watch/walk",
    "no stream": "/watch/nothing",
    "go live": "/live",
    "studio": "/live/walk?at=http%3A%2F%2F127.0.0.1%3A8889",
    "fleet": "/fleet",
}
OPERATORS = {"go live", "studio", "fleet"}


@contextmanager
def filled_site(folder: Path, browser: webdriver.Chrome) -> Iterator[Site]:
    authority = Authority(folder / "ca")
    authority.create()
    stage = Stage(authority)
    stills = Stills(folder / "hls", stage.directory.live_states)
    public = (
        directory_router(stage.directory),
        playback_router(stage.directory, folder / "hls"),
        thumbnails_router(stage.directory, stills),
        pages_router(),
    )
    reach = Reach(("localhost", 8883), "", dict, None, "http://localhost")
    with ExitStack() as web:
        url = web.enter_context(serving(create_app(stage.plane, reach, None, *public)))
        made = Site(stage, stills, web, url, browser)
        make_playlist(folder / "hls" / "walk")
        _fill(made)
        made.draw(0.0)
        yield made
        browser.get("about:blank")
    stills.close()


def _fill(site: Site) -> None:
    """One stream of each state, and a fleet that takes a new model in waves."""
    stage = site.stage
    source = Endpoint.model_validate({"url": f"listen:{CAMERA}/whip", "key": "0123456789abcdef"})
    request = StreamRequest(
        agent="gate-1", id="walk", title="한강을 따라 걷기, then along the old wall", category=4,
        source=source,
    )  # fmt: skip
    stage.plane.streams.add("test", FLEET, request)
    site.tell("walk", Kind.PUBLISH, Kind.PLAYABLE)
    for name, title in (
        ("soup", "국밥 먹방"),
        ("desk", "Parcels"),
        ("yard", "Yard"),
        ("lost", "?"),
    ):
        site.go_live(name, title, 2)
    for number, group in enumerate(("first",) * 3 + ("second",) * 4, 2):
        enrol(stage, f"van-{number}", {"group": group})
    stage.bus.silent, stage.bus.failing = {"van-5", "van-6"}, {"van-3"}
    model = WantedModel(name="veil-nano", version="2.0.0", target="veil-nano-2.0.0.tar")
    gate = Gate(soak_seconds=0, max_failed_share=1.0)
    abort = AbortRule(max_failed_share=1.0)
    waves = (Wave(labels={"group": "first"}), Wave(labels={"group": "second"}), Wave(100.0))
    stage.plane.rollouts.start("Kim", FLEET, model, Plan(waves=waves, gate=gate, abort=abort))
    for _ in range(3):
        stage.plane.rollouts.tick()
    consent = Loosened(path="mosaic", expires_at=stage.now_ms + 60_000)
    stage.says("soup", state="DEGRADED", reason="late_looks")
    stage.says("desk", state="HELD", reason="panic")
    stage.says("yard", state="OFF", loosened=(consent,))
    held = HeldBack(stream="walk", path="classes.id_card.hide")
    said = Reported(at=1, agent_version="0.1.0", applied=1, held_back=(held,))
    stage.bus.say("gate-1", said, Channel.REPORTED)


def enrol(stage: Stage, name: str, labels: dict[str, str]) -> None:
    _, token = stage.plane.enrolment.claim("test", FLEET, name, labels)
    stage.plane.enrolment.enrol(token, make_request(ec.generate_private_key(ec.SECP256R1())), None)
    stage.bus.join(name)


def show(site: Site, page: str, size: tuple[int, int], language: str) -> None:
    """Open a page as one who is at home there: the language chosen, the token given."""
    resize(site.browser, size)
    site.browser.get(site.url)
    token = site.token if page in OPERATORS else None
    site.browser.execute_script(
        "localStorage.setItem('veilcast.language', arguments[0]);"
        "if (arguments[1]) sessionStorage.setItem('veilcast.token', arguments[1]);"
        "else sessionStorage.clear();",
        language, token,
    )  # fmt: skip
    for log in ("browser", "performance"):
        site.browser.get_log(log)
    site.browser.get(site.url + PAGES[page])
    site.until(lambda: READY[page](site))
    assert site.all("html")[0].get_attribute("lang") == language


READY = {
    "watch list": lambda site: len(site.all(".card")) == 5 and site.all(".card img"),
    "one stream": lambda site: site.all("#truth[data-state=PROTECTED]"),
    "no stream": lambda site: not site["truth"].is_displayed(),
    "go live": lambda site: len(site.all(".panic")) == 5,
    "studio": lambda site: site["camera"].is_displayed() and site.all("#classes input"),
    "fleet": lambda site: site.all("svg.waves .pending") and site.all("#audit tr"),
}
