"""The camera in a real browser: it goes to an agent that proves who it is, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router
from cloud_control.api.pages import pages_router
from cloud_control.domain.fleet import Stream
from cloud_control.ingest.stills import Stills
from cloud_control.pki import Authority
from edge_agent.media.source import open_source
from edge_agent.media.whip.terms import Terms
from fleet_contract.reported import HeldBack, Reported
from fleet_contract.topics import Kind as Channel
from tests.cloud_control.brokers import make_request
from tests.cloud_control.browsing import PHONE, browsing
from tests.cloud_control.serving import serving
from tests.cloud_control.test_directory import FLEET, Stage
from tests.cloud_control.test_pages import Site
from tests.edge_agent.live_tools import Collector
from tests.edge_agent.media_tools import free_port

FAKE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
SUBJECT = f"{FLEET}/gate-1"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with browsing(*FAKE) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.create()
    return made


class Studio(Site):
    """A site whose agent has a key that is known here, and waits for a camera at `port`."""

    def prepare(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.port = free_port()
        self.fingerprint = ""
        enrolment = self.stage.plane.enrolment
        _, token = enrolment.claim("test", FLEET, "gate-1", {})
        enrolment.enrol(token, make_request(self.key), None)

    def create(self, title: str = "산책") -> Stream:
        """By the page, as a person does."""
        self.enter("/live", PHONE)
        self["name"].send_keys(title)
        Select(self["category"]).select_by_value("4")
        self.all('input[value="camera"]')[0].click()
        self["port"].clear()
        self["port"].send_keys(str(self.port))
        self["create"].submit()
        self.until(lambda: "/live/" in self.browser.current_url)
        self.until(self["start"].is_displayed)
        (made,) = self.stage.plane.streams.page(FLEET, "", 10, None)
        return made

    def wait_for_camera(self, made: Stream) -> Collector:
        """What the stream's source is for an agent."""
        assert made.source.key is not None
        address = f"{made.source.url}/{made.source.key.get_secret_value()}"
        return Collector(open_source(address, camera=Terms((self.url,), told=self._told)))

    def vouch(self, made: Stream, key: ec.EllipticCurvePrivateKey, **claims: str) -> None:
        right = {"aud": "veilcast-camera", "sub": SUBJECT, "stream": made.id}
        voucher = jwt.encode({**right, "sha256": self.fingerprint, **claims}, key, "ES256")
        self.stage.says(made.id, run="waiting", state="HELD", camera=voucher)

    def _told(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


@pytest.fixture
def studio(authority: Authority, tmp_path: Path, browser: webdriver.Chrome) -> Iterator[Studio]:
    stage = Stage(authority)
    stills = Stills(tmp_path / "hls", stage.directory.live_states)
    public = (directory_router(stage.directory), pages_router())
    reach = Reach(("localhost", 8883), "", dict, None, "http://localhost")
    with ExitStack() as web:
        url = web.enter_context(serving(create_app(stage.plane, reach, None, *public)))
        browser.get("about:blank")
        browser.get_log("browser")
        made = Studio(stage, stills, web, url, browser)
        made.prepare()
        yield made
        browser.get("about:blank")
    stills.close()


def test_the_camera_goes_to_an_agent_that_proves_who_it_is(studio: Studio) -> None:
    made = studio.create()
    came = studio.wait_for_camera(made)
    try:
        studio.vouch(made, studio.key)
        Select(studio["resolution"]).select_by_value("854x480")
        studio["start"].click()
        studio.until(lambda: "has proved who it is" in studio["sent"].text)
        came.wait_for_frames(30, 60)
        assert studio["refused"].text == ""
        assert studio.browser.execute_script("return raw.srcObject.getVideoTracks().length") == 1
        studio["stop"].click()
        studio.until(lambda: "camera is off" in studio["sent"].text)
        studio.until(studio["start"].is_displayed)
    finally:
        came.close()
    assert studio.complaints() == []


def test_nothing_is_sent_to_what_is_no_agent_of_ours(studio: Studio) -> None:
    made = studio.create()
    came = studio.wait_for_camera(made)
    try:
        studio.vouch(made, studio.key, sha256="0" * 64)
        studio["start"].click()
        studio.until(lambda: "has not proved that it is agent gate-1" in studio["refused"].text)
        assert "nobody else hides" in studio["refused"].text
        assert studio["refused"].get_attribute("role") == "alert"
        assert studio.browser.execute_script("return raw.srcObject") is None  # the camera is off
    finally:
        came.close()
    assert came.frames() == []


def test_a_voucher_counts_only_whole_and_from_the_streams_own_agent(studio: Studio) -> None:
    studio.enter("/live")
    right = {"aud": "veilcast-camera", "sub": SUBJECT, "stream": "walk", "sha256": "ab" * 32}
    stranger = ec.generate_private_key(ec.SECP256R1())
    good = jwt.encode(right, studio.key, "ES256")
    head, body, signature = good.split(".")
    unsigned = jwt.encode(right, None, "none")
    vouchers = [
        good,
        None,
        "",
        "a.b.c",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        unsigned,
        jwt.encode(right, stranger, "ES256"),
        *(
            jwt.encode({**right, **wrong}, studio.key, "ES256")
            for wrong in ({"aud": "other"}, {"sub": f"{FLEET}/gate-2"}, {"stream": "run"})
        ),
    ]
    keys = studio.stage.plane.enrolment.keys(FLEET, "gate-1")
    found = studio.browser.execute_async_script(
        "const [vouchers, keys, subject, done] = arguments;"
        "import('/web/whip.js').then(({ vouchedFor }) => Promise.all("
        "vouchers.map((voucher) => vouchedFor({ voucher, keys, subject }, 'walk')))).then(done);",
        vouchers, keys, SUBJECT,
    )  # fmt: skip
    assert found == ["ab" * 32] + [None] * (len(vouchers) - 1)


def test_an_answer_keeps_the_fingerprints_that_are_checked_and_no_others(studio: Studio) -> None:
    studio.enter("/live")
    answer = "v=0\r\na=fingerprint:sha-256 AB:CD\r\na=FINGERPRINT:sha-512 00\r\nm=video\r\n"
    sdp, shown = studio.browser.execute_async_script(
        "const [answer, done] = arguments;"
        "import('/web/whip.js').then(({ fingerprinted }) => {"
        "const found = fingerprinted(answer); done([found.sdp, [...found.shown]]); });",
        answer,
    )
    assert sdp == "v=0\r\na=fingerprint:sha-256 AB:CD\r\nm=video\r\n"
    assert shown == ["abcd"]


def test_without_a_voucher_nothing_is_even_offered(studio: Studio) -> None:
    studio.create()
    studio.browser.execute_script(
        "window.asked = []; const ask = fetch;"
        "window.fetch = (to, ...rest) => { asked.push(String(to)); return ask(to, ...rest); };"
    )
    studio["start"].click()

    def asked() -> list[str]:
        return list(studio.browser.execute_script("return asked"))

    studio.until(lambda: sum(path.endswith("/camera") for path in asked()) > 3)
    assert not [path for path in asked() if path.endswith("/whip")]


def test_the_page_may_speak_to_one_agent_only(studio: Studio) -> None:
    made = studio.create()
    outcome = studio.browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "fetch('http://127.0.0.1:1/').catch(() => {});"
        "addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));"
    )
    assert outcome == "connect-src"
    assert f"at=http%3A%2F%2F127.0.0.1%3A{studio.port}" in studio.browser.current_url
    assert made.source.url == f"listen:http://127.0.0.1:{studio.port}/whip"


def test_the_desk_shows_figures_panics_and_says_what_switching_off_costs(studio: Studio) -> None:
    made = studio.create()
    studio.stage.says(made.id, fps=24.96, delay=0.9)
    studio.until(lambda: "25.0" in studio["figures"].text)
    assert studio["panic"].size["height"] >= 60
    studio["panic"].click()
    studio.until(lambda: "Veiled. Lift it at the device" in studio["told"].text)

    box = '[data-hide="license_plate"]'
    studio.until(lambda: studio.all(box))
    assert "harmless is covered" in studio["cost-license_plate"].text
    studio.until(lambda: studio.all(box)[0].click() or studio["sure"].is_displayed())
    assert "could read it" in studio["question"].text
    studio["yes"].click()
    studio.until(lambda: "everything stays hidden" in studio["saved"].text)
    wanted = studio.stage.plane.streams.get(FLEET, made.id).protection
    assert wanted is not None
    assert not wanted.classes.license_plate.hide
    assert wanted.classes.id_card.hide

    held = HeldBack(stream=made.id, path="classes.license_plate.hide")
    said = Reported(at=1, agent_version="0.1.0", applied=1, held_back=(held,))
    studio.stage.bus.say("gate-1", said, Channel.REPORTED)
    studio.until(lambda: "Held back" in studio["cost-license_plate"].text)
    assert studio.complaints() == []


def test_a_push_is_tested_at_the_agent(studio: Studio) -> None:
    studio.enter("/live", PHONE)
    studio["name"].send_keys("A walk")
    studio["create"].submit()
    studio.until(studio["test"].is_displayed)
    (made,) = studio.stage.plane.streams.page(FLEET, "", 10, None)
    studio.stage.says(made.id, run="waiting", state="HELD", source_connected=False)
    studio["test"].click()
    studio.until(lambda: "nothing arrives" in studio["tested"].text)
    studio.stage.says(made.id)
    studio["test"].click()
    studio.until(lambda: "receives a picture" in studio["tested"].text)


def test_the_desk_fits_a_phone_and_names_its_parts(studio: Studio, tmp_path: Path) -> None:
    studio.create("Along-the-Han-river-and-back-without-a-single-space-to-break-at")
    width = "return document.documentElement.scrollWidth"
    studio.until(lambda: studio.browser.execute_script(width) <= PHONE[0])
    for control in studio.browser.find_elements(
        By.CSS_SELECTOR, "main button, main input, main select"
    ):
        if control.is_displayed():
            assert control.accessible_name, control.get_attribute("outerHTML")
    studio["language"].click()
    studio.until(lambda: "원본 화면은" in studio["camera"].text)
    studio["language"].click()
    studio.browser.save_screenshot(str(tmp_path / "desk.png"))
