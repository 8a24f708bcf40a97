"""The fleet page while a model goes from wave to wave, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium import webdriver

from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router
from cloud_control.api.pages import pages_router
from cloud_control.domain.rollout_plan import AbortRule, Gate, Plan, Wave
from cloud_control.ingest.stills import Stills
from cloud_control.pki import Authority
from fleet_contract.wanted_model import WantedModel
from tests.cloud_control.browsing import DESKTOP, PHONE, browsing
from tests.cloud_control.filled_site import enrol
from tests.cloud_control.serving import serving
from tests.cloud_control.test_directory import FLEET, Stage
from tests.cloud_control.test_pages import Site

MODEL = WantedModel(name="veil-nano", version="2.0.0", target="veil-nano-2.0.0.tar")
WAVES = (Wave(labels={"group": "first"}), Wave(labels={"group": "second"}), Wave(100.0))
ANY = Gate(soak_seconds=0, max_failed_share=1.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with browsing() as chrome:
        yield chrome


@pytest.fixture
def site(tmp_path: Path, browser: webdriver.Chrome) -> Iterator[Site]:
    authority = Authority(tmp_path / "ca")
    authority.create()
    stage = Stage(authority)
    for number, group in enumerate(("first", "first", "second", "second"), 2):
        enrol(stage, f"van-{number}", {"group": group})
    stills = Stills(tmp_path / "hls", stage.directory.live_states)
    reach = Reach(("localhost", 8883), "", dict, None, "http://localhost")
    with ExitStack() as web:
        app = create_app(
            stage.plane, reach, None, directory_router(stage.directory), pages_router()
        )
        url = web.enter_context(serving(app))
        browser.get("about:blank")
        browser.get_log("browser")
        made = Site(stage, stills, web, url, browser)
        made.open("/")
        browser.execute_script("sessionStorage.clear()")
        yield made
        browser.get("about:blank")
    stills.close()


def shown(site: Site) -> tuple[str, int, int]:
    """What the legend says, how many pieces of the picture are filled, and the wave that is on."""
    plans = site.all("svg.waves rect.plan")
    on = [number for number, one in enumerate(plans) if "now" in (one.get_attribute("class") or "")]
    legend = " ".join(one.text for one in site.all("#rollouts .legend li"))
    filled = len(site.all("svg.waves rect")) - len(plans)
    return legend, filled, on[0] if on else -1


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_picture_follows_each_wave_to_the_end(site: Site, size: tuple[int, int]) -> None:
    stage = site.stage
    stage.bus.silent, stage.bus.failing = {"van-4"}, {"van-3"}
    plan = Plan(waves=WAVES, gate=ANY, abort=AbortRule(max_failed_share=1.0))
    site.enter("/fleet", size)
    site.until(lambda: "No model" in site["rollouts"].text)
    stage.plane.rollouts.start("Kim", FLEET, MODEL, plan)
    site.until(lambda: shown(site) == ("done 1 under way 1 failed 0", 2, 0))
    stage.plane.rollouts.tick()
    site.until(lambda: shown(site) == ("done 2 under way 1 failed 1", 4, 1))
    title = site.all("svg.waves title")[0].get_attribute("textContent")
    assert title == "2 done, 1 under way, 1 failed; wave 2 of 3"
    site.until(lambda: "2.0.0: refused self_test_failed" in site["agents"].text)

    stage.bus.silent = set()
    stage.bus.join("van-4")
    stage.plane.rollouts.tick()
    site.until(lambda: shown(site) == ("done 4 under way 0 failed 1", 4, 2))
    stage.plane.rollouts.tick()
    site.until(lambda: "finished" in site["rollouts"].text)
    assert site.all("#rollouts button") == []
    assert site.browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert site.complaints() == []


def test_a_rollout_is_paused_resumed_and_taken_back_by_the_page(site: Site) -> None:
    stage = site.stage
    stage.bus.silent = {"van-2"}
    started = stage.plane.rollouts.start("Kim", FLEET, MODEL, Plan(waves=WAVES, gate=ANY))

    def status() -> str:
        return stage.plane.rollouts.get(FLEET, started.rollout.id).rollout.status

    def press(words: str) -> None:
        site.until(lambda: [one for one in site.all("#rollouts button") if one.text == words])
        site.until(lambda: _click(site, words))

    site.enter("/fleet", PHONE)
    press("Pause")
    site.until(lambda: status() == "paused")
    press("Resume")
    site.until(lambda: status() == "running")
    press("Stop and go back")
    site.until(site["sure"].is_displayed)
    assert "goes back" in site["question"].text
    site.all("#sure button")[0].click()
    site.until(lambda: not site["sure"].is_displayed())
    assert status() == "running"
    press("Stop and go back")
    site.until(site["sure"].is_displayed)
    site["yes"].click()
    site.until(lambda: status() == "aborted")
    site.until(lambda: "aborted" in site["rollouts"].text)
    assert site.complaints() == []


def _click(site: Site, words: str) -> bool:
    """The list is drawn anew now and then: look for the button at the moment of the click."""
    for one in site.all("#rollouts button"):
        if one.text == words:
            one.click()
            return True
    return False
