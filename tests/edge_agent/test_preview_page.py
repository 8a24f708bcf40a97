"""The preview page in a real browser, over real HTTP."""

from __future__ import annotations

import shutil
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from edge_agent.live_state import LiveState
from edge_agent.local_api import LocalApi
from edge_agent.preview import PreviewFeed
from tests.edge_agent.shown import STALE, shown
from tests.edge_agent.stand_in_stream import StandInStream

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=412,900",
]


class Page:
    """A stream that keeps sending pictures, its server, and a browser that shows its page."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser
        self.stream = StandInStream()
        self.feed = PreviewFeed()
        self.checked = True
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._send)
        self._sender.start()
        self.api = LocalApi(LiveState(self.stream, self.feed, list), port=0)
        browser.get(self.api.url)

    def _send(self) -> None:
        index = 0
        while not self._over.wait(0.04):
            index += 1
            verdict = {} if self.checked else {"verdict": STALE}
            self.feed.see(
                shown(self.stream.gate, index, (40, 40, 120, 90), **verdict),  # type: ignore[arg-type]
                rescued=False,
            )

    def __getitem__(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def until(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.browser, 15, poll_frequency=0.1).until(lambda _: holds())

    def close(self) -> None:
        self._over.set()
        self._sender.join()
        self.api.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromedriver: THE PREVIEW PAGE IS NOT TESTED")
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        chrome = webdriver.Chrome(options=options, service=Service(driver))
        yield chrome
        chrome.quit()


@pytest.fixture
def page(browser: webdriver.Chrome) -> Iterator[Page]:
    shown_page = Page(browser)
    yield shown_page
    shown_page.close()


def test_the_page_shows_state_figures_and_the_picture_without_complaint(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    assert "checked before it left" in page["meaning"].text
    page.until(lambda: page["now"].text == "1")
    page.until(lambda: float(page["fps"].text) > 5)
    page.until(lambda: page["video"].get_property("naturalWidth") == 320)
    assert page["unverified"].text == "0"
    complaints = [entry for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []


def test_a_veil_is_told_with_its_reason_in_a_live_region(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    page.checked = False
    page.until(lambda: page["state"].text == "DEGRADED")
    assert "no look after it" in page["meaning"].text
    assert page["badge"].get_attribute("aria-live") == "polite"


def test_the_key_p_panics_and_releasing_asks_first(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    page.browser.find_element(By.TAG_NAME, "body").send_keys("p")
    page.until(lambda: page.stream.gate.panicking)
    page.until(page["release"].is_displayed)
    assert not page["panic"].is_displayed()
    assert "HELD" in page["state"].text

    page["release"].click()
    page.until(page["confirm"].is_displayed)
    focused = page.browser.switch_to.active_element
    assert focused.text == "Stay hidden"
    focused.click()
    page.until(lambda: not page["confirm"].is_displayed())
    assert page.stream.gate.panicking

    page["release"].click()
    page["yes"].click()
    page.until(lambda: not page.stream.gate.panicking)
    page.until(page["panic"].is_displayed)


def test_the_panic_button_is_first_class_on_a_phone(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    size = page["panic"].size
    assert size["height"] >= 60
    assert size["width"] >= 300
    width = page.browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= page.browser.execute_script("return innerWidth")
    page["panic"].click()
    page.until(lambda: page.stream.gate.panicking)


def test_outlines_are_switched_from_the_keyboard(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    assert "outlines=0" in (page["video"].get_attribute("src") or "")
    page["outlines"].send_keys(" ")
    page.until(lambda: "outlines=1" in (page["video"].get_attribute("src") or ""))


def test_a_page_that_lost_its_agent_says_so_instead_of_protected(page: Page) -> None:
    page.until(lambda: page["state"].text == "PROTECTED")
    page.close()
    page.until(lambda: page["state"].text == "NO CONTACT")
