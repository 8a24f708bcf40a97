"""Whether anybody can use the pages: axe on each of them, their weight, their hosts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver

from tests.cloud_control.browsing import DESKTOP, PHONE, browsing
from tests.cloud_control.filled_site import CAMERA, PAGES, READY, filled_site, show
from tests.cloud_control.test_pages import PATIENCE_S, Site

FIRST_PAGE_BYTES = 150_000  # headers included
VIEWS = [
    pytest.param(size, language, id=f"{name}-{language}")
    for name, size in (("phone", PHONE), ("desktop", DESKTOP))
    for language in ("en", "ko")
]
VEILED = "a[href='/watch/walk'] .badge[data-state=DEGRADED]"
STANDARDS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        browsing(network=True) as browser,
        filled_site(tmp_path_factory.mktemp("site"), browser) as made,
    ):
        yield made


def findings(browser: webdriver.Chrome) -> list[str]:
    """What axe holds against the page, however slight: the rule, the element and why."""
    found = Axe().run(browser, options=STANDARDS)
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def dark(browser: webdriver.Chrome, on: bool) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.mark.parametrize(("size", "language"), VIEWS)
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(site: Site, page: str, size: tuple[int, int], language: str) -> None:
    show(site, page, size, language)
    for night in (False, True):
        dark(site.browser, night)
        assert findings(site.browser) == []
    assert site.browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    complaints = site.complaints()
    if page == "no stream":
        complaints = [one for one in complaints if "404" not in one]
    assert complaints == []


@pytest.mark.parametrize(("size", "language"), VIEWS)
def test_axe_finds_nothing_in_what_is_seen_now_and_then(
    site: Site, size: tuple[int, int], language: str
) -> None:
    show(site, "fleet", size, language)
    site.browser.execute_script("sessionStorage.clear(); location.reload()")
    site.until(site["gate"].is_displayed)
    site["token"].send_keys("wrong")
    site["token"].submit()
    site.until(lambda: site["refusal"].text)
    assert findings(site.browser) == []

    show(site, "go live", size, language)
    site["name"].send_keys("For OBS")
    site["create"].submit()
    site.until(site["made"].is_displayed)
    site["test"].click()
    site.until(lambda: site["tested"].text)
    assert findings(site.browser) == []
    key = site["desk"].get_attribute("href").rpartition("/")[2]
    site.until(lambda: site.all(f"[data-end='{key}']"))
    site.all(f"[data-end='{key}']")[0].click()
    site.until(site["sure"].is_displayed)
    assert findings(site.browser) == []
    site["yes"].click()
    site.until(lambda: not site.all(f"[data-end='{key}']"))


def test_axe_would_find_what_is_wrong(site: Site) -> None:
    show(site, "watch list", PHONE, "en")
    dark(site.browser, False)
    site.browser.execute_script(
        "document.querySelector('main').append(document.createElement('button'));"
        "document.getElementById('count').style.color = '#ccd';"
    )
    rules = {one.partition(":")[0] for one in findings(site.browser)}
    assert {"button-name", "color-contrast"} <= rules


def asked(browser: webdriver.Chrome) -> tuple[list[str], int]:
    """All addresses that were asked since the page was opened, and the bytes that came, headers
    and all."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        str(event["params"]["request"]["url"])
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    came = sum(
        event["params"]["encodedDataLength"]
        for event in events
        if event["method"] == "Network.loadingFinished"
    )
    return [one for one in addresses if urlsplit(one).scheme not in {"blob", "data"}], int(came)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_its_own_host_alone_under_a_strict_policy(site: Site, page: str) -> None:
    show(site, page, PHONE, "ko")
    addresses, _ = asked(site.browser)
    assert len(addresses) > 4
    assert [one for one in addresses if not one.startswith(site.url + "/")] == []
    agent = f" {CAMERA}" if page == "studio" else ""
    wanted = {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
        "img-src": "'self'", "media-src": "'self' blob:", "connect-src": f"'self'{agent}",
        "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    policy = httpx.get(site.url + PAGES[page]).headers["Content-Security-Policy"]
    assert dict(rule.strip().split(" ", 1) for rule in policy.split(";")) == wanted


def test_the_policy_is_kept_by_the_browser(site: Site) -> None:
    show(site, "watch list", PHONE, "en")
    refused = site.browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));"
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script);"
    )
    assert refused == "script-src-elem"
    assert site.browser.execute_script("return window.ran") is None


@pytest.mark.parametrize("page", PAGES)
def test_a_first_visit_costs_little(site: Site, page: str) -> None:
    """The watch list with a thumbnail; of a stream all but its video."""
    site.browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    show(site, page, PHONE, "en")
    site.browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    site.browser.get_log("performance")
    site.browser.execute_cdp_cmd("Page.reload", {"ignoreCache": True})
    site.until(lambda: READY[page](site))
    site.browser.execute_async_script("setTimeout(arguments[0], 500)")
    addresses, came = asked(site.browser)
    assert f"{site.url}/web/style.css" in addresses
    assert 20_000 < came < FIRST_PAGE_BYTES


def test_pages_left_behind_hold_no_connection(site: Site) -> None:
    """A browser has six for a host, and keeps pages for the way back."""
    for page in ("go live", "fleet", "watch list", "one stream") * 3:
        began = time.monotonic()
        show(site, page, PHONE, "en")
        assert time.monotonic() - began < PATIENCE_S / 2, page


def test_a_page_that_is_come_back_to_goes_on(site: Site) -> None:
    show(site, "watch list", PHONE, "en")
    site.browser.get(site.url + PAGES["no stream"])
    site.browser.back()
    site.until(lambda: len(site.all(".card")) == 5)
    site.stage.says("walk", state="DEGRADED", reason="late_looks")
    try:
        site.until(lambda: site.all(VEILED))
    finally:
        site.stage.says("walk")


def test_news_outlive_an_older_answer(site: Site) -> None:
    """The list is asked for, then a state changes, and only then the answer arrives."""
    show(site, "watch list", PHONE, "en")
    site.browser.execute_script(
        "const ask = fetch; window.held = [];"
        "window.fetch = async (...all) => { const answer = await ask(...all);"
        " await new Promise((go) => held.push(go)); return answer; };"
    )
    held = "return window.held.length"
    site["language"].click()
    try:
        site.until(lambda: site.browser.execute_script(held) == 1)
        site.browser.execute_script("held[0]()")
        site.until(lambda: site.browser.execute_script(held) == 2)
        site.stage.says("walk", state="DEGRADED", reason="late_looks")
        site.until(lambda: site.all(VEILED))
        site.browser.execute_script("held[1]()")
        site.browser.execute_async_script("setTimeout(arguments[0], 300)")
        assert site.all(VEILED)
    finally:
        site.stage.says("walk")
