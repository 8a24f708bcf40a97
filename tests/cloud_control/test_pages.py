"""The web pages in a real browser, over real HTTP, with agents that live in the plane's bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router, playback_router
from cloud_control.api.events import Follow, follow, polled
from cloud_control.api.pages import PAGES, pages_router
from cloud_control.api.thumbnails import thumbnails_router
from cloud_control.domain.access import Role
from cloud_control.domain.rollout_plan import Gate, Plan, Wave
from cloud_control.ingest.port import Event, Kind
from cloud_control.ingest.stills import EVERY_S, Stills
from cloud_control.pki import Authority
from fleet_contract.stream_state import StreamState
from fleet_contract.topics import Kind as Channel
from fleet_contract.wanted_model import WantedModel
from tests.cloud_control.browsing import DESKTOP, PHONE, browsing, resize
from tests.cloud_control.serving import serving
from tests.cloud_control.test_directory import FLEET, Stage

PATIENCE_S = 30.0


class Site:
    """A plane whose pages are served, its one agent, and a browser."""

    def __init__(
        self, stage: Stage, stills: Stills, web: ExitStack, url: str, browser: webdriver.Chrome
    ) -> None:
        self.stage, self.stills, self.web, self.url, self.browser = stage, stills, web, url, browser
        self.token = stage.plane.access.make("system", "Kim", Role.ADMIN)[1]

    def __getitem__(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def open(self, path: str, size: tuple[int, int] = DESKTOP) -> None:
        resize(self.browser, size)
        self.browser.get(self.url + path)

    def enter(self, path: str, size: tuple[int, int] = DESKTOP) -> None:
        """Open a page that asks for the token, and give it."""
        self.open(path, size)
        self.until(self["gate"].is_displayed)
        self["token"].send_keys(self.token)
        self["token"].submit()
        self.until(self["inside"].is_displayed)

    def draw(self, now: float) -> None:
        """Have thumbnails made. now: s, by their own clock."""
        self.stills.tick(now)
        addresses = {name: self.stills.address(name) for name in self.stage.live}
        self.stage.thumbnails.clear()
        self.stage.thumbnails.update({name: at for name, at in addresses.items() if at})
        self.stage.directory.look()

    def until(self, holds: Callable[[], object]) -> None:
        """Elements may be replaced while they are looked at."""
        WebDriverWait(
            self.browser, PATIENCE_S, 0.1, ignored_exceptions=[StaleElementReferenceException]
        ).until(lambda _: holds())

    def go_live(self, name: str, title: str, category: int = 4) -> None:
        self.stage.add(name, title, category)
        self.stage.now_ms += 1
        self.tell(name, Kind.PUBLISH, Kind.PLAYABLE)

    def tell(self, name: str, *kinds: Kind) -> None:
        for kind in kinds:
            self.stage.directory.tell(Event(kind, name, self.stage.now_ms / 1000))
        self.stage.directory.look()

    def complaints(self) -> list[str]:
        """What the browser's console holds against the page; playlists of streams without an
        ingest are not there."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if entry["level"] == "SEVERE" and "/hls/" not in entry["message"]
        ]


def make_playlist(folder: Path) -> None:
    """A few seconds of grey pictures as HLS, ended."""
    folder.mkdir(parents=True)
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": f"{folder}/0-%d.ts"}
    with av.open(str(folder / "index.m3u8"), "w", format="hls", options=options) as out:
        video = out.add_stream("libx264", rate=10, options={"g": "10", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        for number in range(60):
            picture = np.full((180, 320, 3), 40 + 3 * number, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with browsing() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.create()
    return made


@pytest.fixture
def site(authority: Authority, tmp_path: Path, browser: webdriver.Chrome) -> Iterator[Site]:
    with visited(authority, tmp_path, browser, follow) as found:
        yield found


@contextmanager
def visited(
    authority: Authority, tmp_path: Path, browser: webdriver.Chrome, told: Follow
) -> Iterator[Site]:
    stage = Stage(authority)
    stills = Stills(tmp_path / "hls", stage.directory.live_states)
    public = (
        directory_router(stage.directory, told),
        playback_router(stage.directory, tmp_path / "hls"),
        thumbnails_router(stage.directory, stills),
        pages_router(),
    )
    reach = Reach(("localhost", 8883), "", dict, None, "http://localhost")
    with ExitStack() as web:
        app = create_app(stage.plane, reach, None, *public, follow=told)
        url = web.enter_context(serving(app))
        browser.get("about:blank")
        browser.get_log("browser")
        yield Site(stage, stills, web, url, browser)
        browser.get("about:blank")
    stills.close()


def test_a_stream_appears_changes_its_badge_and_goes(site: Site) -> None:
    site.open("/")
    site.until(lambda: "No stream is live" in site["empty"].text)
    site.go_live("walk", "Along the Han river")
    site.until(lambda: [card.text for card in site.all(".card .name")] == ["Along the Han river"])
    assert site.all(".card .badge")[0].text.endswith("Protected")
    site.stage.says("walk", state="DEGRADED", reason="late_looks")
    site.until(lambda: site.all(".card .badge")[0].text.endswith("Veiled"))
    site.tell("walk", Kind.PUBLISH_DONE)
    site.until(lambda: site.all(".card") == [])
    assert site.complaints() == []


def test_where_events_are_polled_the_badge_stands_between_two_looks(
    authority: Authority, tmp_path: Path, browser: webdriver.Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_control.api.events.POLL_MS", 700)
    with visited(authority, tmp_path, browser, polled) as site:
        site.go_live("walk", "Along the Han river")
        site.open("/watch/walk")
        site.until(lambda: site["state"].text == "Protected")
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            assert site["state"].text == "Protected"
        site.stage.says("walk", state="HELD", reason="panic")
        site.until(lambda: site["state"].text != "Protected")
        site.stage.says("walk")
        site.until(lambda: site["state"].text == "Protected")
        assert site.complaints() == []
        site.enter("/fleet")
        site.until(lambda: "gate-1" in site["agents"].text)
        site.open("/watch/walk")
        site.until(lambda: site["state"].text == "Protected")
        site.web.close()
        site.until(lambda: site["state"].text == "Not confirmed")


def test_categories_search_and_korean(site: Site) -> None:
    site.go_live("walk", "Along the Han river", 4)
    site.go_live("soup", "국밥 먹방", 2)
    site.open("/")
    site.until(lambda: len(site.all(".card")) == 2)
    site.all('[data-category="2"]')[0].click()
    site.until(lambda: [card.text for card in site.all(".card .name")] == ["국밥 먹방"])
    assert site.browser.current_url.endswith("/?category=2")
    site.all('[data-category="0"]')[0].click()
    site["q"].send_keys("HAN")
    site.until(lambda: [card.text for card in site.all(".card .name")] == ["Along the Han river"])

    site["language"].click()
    site.until(lambda: "여행" in site["categories"].text)
    assert site.all("html")[0].get_attribute("lang") == "ko"
    assert site.all(".card .badge")[0].text.endswith("보호 중")
    site["language"].click()


def test_a_stream_plays_and_its_end_is_told(site: Site, tmp_path: Path) -> None:
    make_playlist(tmp_path / "hls" / "walk")
    site.go_live("walk", "Along the Han river")
    site.open("/watch/walk")
    site.until(lambda: site["state"].text == "Protected")
    site.until(lambda: float(site["video"].get_property("currentTime")) > 0.5)
    site.until(lambda: site.stage.directory.audience.count("walk") == 1)
    site.stage.says("walk", state="HELD", reason="panic")
    site.until(lambda: site["state"].text == "Held")
    assert site["truth"].get_attribute("aria-live") == "polite"
    site.tell("walk", Kind.PUBLISH_DONE)
    site.until(lambda: "interrupted" in site["notice"].text)
    assert site["video"].is_displayed()  # it plays on what it has
    site.tell("walk", Kind.PUBLISH, Kind.PLAYABLE)
    site.until(lambda: site["state"].text == "Held")
    assert not site["notice"].is_displayed()
    site.tell("walk", Kind.PUBLISH_DONE)
    site.until(lambda: "interrupted" in site["notice"].text)
    site.tell("walk", Kind.ENDED)
    site.until(lambda: "ended" in site["notice"].text)
    assert not site["video"].is_displayed()
    assert not site["truth"].is_displayed()
    assert site.complaints() == []


def test_a_card_shows_what_viewers_saw_and_nothing_of_a_held_stream(
    site: Site, tmp_path: Path
) -> None:
    make_playlist(tmp_path / "hls" / "walk")
    site.go_live("walk", "Along the Han river")
    site.open("/")
    site.until(lambda: len(site.all(".card")) == 1)
    address = f"{site.url}/v1/directory/walk/thumbnail.jpg"
    assert httpx.get(address).status_code == 404
    site.draw(0.0)
    site.until(lambda: site.all(".card img"))
    (picture,) = site.all(".card img")
    assert picture.get_attribute("alt") == "Picture from the stream “Along the Han river”"
    assert picture.get_property("naturalWidth") == 320
    art = site.all(".card .art")[0].size
    assert art["width"] / art["height"] == pytest.approx(16 / 9, abs=0.05)

    answer = httpx.get(address)
    assert answer.headers["Content-Type"] == "image/jpeg"
    tag = answer.headers["ETag"]
    assert "max-age" in answer.headers["Cache-Control"]
    assert httpx.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert httpx.get(address, headers={"If-None-Match": '"other"'}).status_code == 200

    site.stage.says("walk", state="HELD", reason="panic")
    site.draw(EVERY_S)
    site.until(lambda: not site.all(".card img"))
    assert httpx.get(address).status_code == 404
    assert site.complaints() == []


def test_without_contact_nothing_is_claimed(site: Site) -> None:
    site.go_live("walk", "Along the Han river")
    site.open("/watch/walk")
    site.until(lambda: site["state"].text == "Protected")
    site.web.close()
    site.until(lambda: site["state"].text == "Not confirmed")
    assert "No contact" in site["meaning"].text


def test_the_fleet_page_shows_agents_thresholds_a_rollout_and_the_log(site: Site) -> None:
    site.stage.add("walk")
    model = WantedModel(name="veil-nano", version="2.0.0", target="veil-nano-2.0.0.tar")
    plan = Plan(waves=(Wave(50.0), Wave(100.0)), gate=Gate(soak_seconds=0))
    site.stage.plane.rollouts.start("Kim", FLEET, model, plan)
    site.enter("/fleet")
    site.until(lambda: "gate-1" in site["agents"].text)
    site.until(lambda: "stream.add" in site["audit"].text)
    assert len(site.all("svg.waves rect.plan")) == 2
    assert "waits on each device until its owner consents" in site["inside"].text

    site.all('[data-thresh="id_card"]')[0].send_keys("0.3")
    site["save"].click()
    site.until(lambda: "1 agents are told" in site["saved"].text)
    assert site.stage.plane.protection.of_fleet(FLEET).classes.id_card.thresh == 0.3
    site.until(lambda: "fleet.protection" in site["audit"].text)

    state = StreamState(
        at=1, connection=1, run="running", state="DEGRADED", desired_version=1,
        source_connected=True,
    )  # fmt: skip
    site.stage.bus.say("gate-1", state, Channel.STREAM_STATE, "walk")
    site.until(lambda: "Veiled" in site["agents"].text)
    assert site.complaints() == []


def test_a_wrong_token_is_refused_and_none_is_kept(site: Site) -> None:
    site.open("/fleet")
    site.until(site["gate"].is_displayed)
    site["token"].send_keys("wrong")
    site["token"].submit()
    site.until(lambda: "does not know this token" in site["refusal"].text)
    assert not site["inside"].is_displayed()
    assert site.browser.execute_script("return sessionStorage.length + localStorage.length") == 0


def test_going_live_makes_a_stream_for_obs_and_panic_veils_it(site: Site) -> None:
    site.enter("/live", PHONE)
    site["name"].send_keys("산책")
    Select(site["category"]).select_by_value("4")
    site["create"].submit()
    site.until(site["made"].is_displayed)
    (made,) = site.stage.plane.streams.page(FLEET, "", 10, None)
    assert (made.title, made.category, made.agent) == ("산책", 4, "gate-1")
    assert site["server"].get_property("value") == "rtmp://127.0.0.1:1936/live"
    assert made.source.url == "listen:rtmp://127.0.0.1:1936/live"
    assert made.source.key is not None
    key = site["key"].get_property("value")
    assert key == made.source.key.get_secret_value()
    assert made.publish_key not in site.browser.page_source  # it would let raw video in

    site.until(lambda: site.all(".panic"))
    assert site.all(".panic")[0].size["height"] >= 60
    site.all(".panic")[0].click()
    site.until(lambda: "Veiled. Lift it at the device" in site["mine"].text)
    assert [(agent, name) for agent, name, _ in site.stage.bus.asked] == [("gate-1", "veil")]

    site.all("[data-end]")[0].click()
    site.until(site["sure"].is_displayed)
    site["yes"].click()
    site.until(lambda: "No stream is made yet" in site["mine"].text)
    assert site.complaints() == []


@pytest.mark.parametrize("path", ["/", "/watch/walk", "/fleet", "/live"])
def test_pages_fit_a_phone_and_name_their_parts(site: Site, path: str) -> None:
    site.go_live("walk", "Along-the-Han-river-and-back-without-a-single-space-to-break-at")
    if path in {"/fleet", "/live"}:
        site.enter(path, PHONE)
    else:
        site.open(path, PHONE)
        site.until(lambda: "Han" in site.all("main")[0].text)
    width = "return document.documentElement.scrollWidth"
    assert site.browser.execute_script(width) <= PHONE[0]
    nameless = """return [...document.querySelectorAll("button, a, input, select")]
        .filter((one) => one.checkVisibility() && !(one.textContent.trim() || one.ariaLabel
            || one.labels?.length || one.querySelector("img[alt]:not([alt=''])")))
        .map((one) => one.outerHTML)"""
    assert site.browser.execute_script(nameless) == []
    assert [len(site.all(one)) for one in ("h1", "main", "header", "header nav")] == [1, 1, 1, 1]


@pytest.mark.parametrize("path", [*PAGES, "/web/site.js", "/web/style.css"])
def test_every_part_has_a_strict_policy(site: Site, path: str) -> None:
    answer = httpx.get(site.url + path.replace("{stream}", "walk"))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_only_the_pages_own_parts_are_served(site: Site) -> None:
    for name in ("index.html", "..%2fserve.py", "nothing.js", "%2e%2e/serve.py"):
        assert httpx.get(f"{site.url}/web/{name}").status_code == 404
