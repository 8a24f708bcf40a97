"""A headless Chromium."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update", "--lang=en",
]  # fmt: skip
PHONE, DESKTOP = (390, 844), (1280, 800)


@contextmanager
def browsing(*more: str, network: bool = False) -> Iterator[webdriver.Chrome]:
    """more: flags of its own; network: keep a log of all that it asks for."""
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromedriver: THE WEB PAGES ARE NOT TESTED")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, *more):
        options.add_argument(flag)
    logs = {"browser": "ALL"} | ({"performance": "ALL"} if network else {})
    options.set_capability("goog:loggingPrefs", logs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        chrome = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


def resize(browser: webdriver.Chrome, size: tuple[int, int]) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
    )
