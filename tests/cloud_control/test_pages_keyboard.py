"""The pages by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.cloud_control.browsing import DESKTOP, PHONE, browsing
from tests.cloud_control.filled_site import filled_site, show
from tests.cloud_control.test_directory import FLEET
from tests.cloud_control.test_pages import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        browsing(network=True) as browser,
        filled_site(tmp_path_factory.mktemp("site"), browser) as made,
    ):
        yield made


def press(site: Site, *keys: str) -> None:
    """As a keyboard does: to whatever has the focus, also while the page draws it anew."""
    for key in keys:
        ActionChains(site.browser).send_keys(key).perform()


def walk_to(site: Site, holds: str) -> None:
    """Press Tab until the focus is at what fits that selector; it must be seen to be there."""
    for _ in range(80):
        press(site, Keys.TAB)
        if site.browser.execute_script(
            "return document.activeElement.matches(arguments[0])", holds
        ):
            outline = "return getComputedStyle(document.activeElement).outlineStyle"
            assert site.browser.execute_script(outline) != "none", holds
            return
    pytest.fail(f"no Tab leads to {holds}")


def test_a_keyboard_alone_finds_a_stream_and_its_player(site: Site) -> None:
    show(site, "watch list", PHONE, "en")
    press(site, Keys.TAB)
    assert site.browser.switch_to.active_element.text == "Skip to content"
    press(site, Keys.ENTER)
    walk_to(site, "[data-category='4']")
    press(site, Keys.ENTER)
    site.until(lambda: len(site.all(".card")) == 1)
    walk_to(site, ".card")
    press(site, Keys.ENTER)
    site.until(lambda: site.browser.current_url.endswith("/watch/walk"))
    site.until(lambda: site.all("#video") and site["video"].is_displayed())
    walk_to(site, "#video")


def test_a_keyboard_alone_makes_a_stream_panics_and_ends_it(site: Site) -> None:
    show(site, "go live", DESKTOP, "en")
    walk_to(site, "#name")
    press(site, "By keyboard")
    walk_to(site, "#create button.main")
    press(site, Keys.ENTER)
    site.until(site["made"].is_displayed)
    (made,) = (
        one.id
        for one in site.stage.plane.streams.page(FLEET, "", 10, None)
        if one.title == "By keyboard"
    )
    site.until(lambda: site.browser.switch_to.active_element == site["made"])
    walk_to(site, f"[data-panic='{made}']")
    press(site, Keys.SPACE)
    site.until(lambda: "Veiled. Lift it at the device" in site["mine"].text)
    held = "return document.activeElement.dataset.panic"
    site.until(lambda: site.browser.execute_script(held) == made)
    walk_to(site, f"[data-end='{made}']")
    press(site, Keys.ENTER)
    site.until(site["sure"].is_displayed)
    assert site.browser.switch_to.active_element.text == "No, go on"  # what a hasty Enter does
    walk_to(site, "#yes")
    press(site, Keys.ENTER)
    site.until(lambda: not site.all(f"[data-end='{made}']"))
