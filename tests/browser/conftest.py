"""One Chromium for all tests of the page. It is Debian's; selenium fetches none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from sriovctl.lab.bench import chromium


class Browser:
    """A page in Chromium, and what it did."""

    def __init__(self, driver: Chrome, folder: Path) -> None:
        self.driver = driver
        self._folder = folder

    def open(self, html: str, *, width: int = 1400, height: int = 900, anchor: str = "") -> str:
        """Show a page.

        :param width: of the window in px; below 600 it is a phone's
        :returns: its address
        """
        path = self._folder / "room.html"
        path.write_text(html, "utf-8")
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        self.log("browser")
        self.log("performance")
        self.driver.get(path.as_uri() + anchor)
        return path.as_uri()

    def scheme(self, scheme: str, media: str = "") -> None:
        """``dark`` or ``light``; ``print`` as the medium."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": media, "features": features}
        )

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since the last time."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def requested(self) -> list[str]:
        """Addresses that the page has asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def ask(self, script: str, *arguments: Any) -> Any:
        """What a piece of script returns; it may do what the page's own policy forbids."""
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        for key in keys:
            self.focused.send_keys(key)

    @property
    def focused(self) -> WebElement:
        """What has the focus."""
        return self.driver.switch_to.active_element

    def one(self, selector: str) -> WebElement:
        """The element of a selector."""
        return self.driver.find_element("css selector", selector)

    def shown(self, selector: str) -> list[WebElement]:
        """Those of a selector that can be seen."""
        found = self.driver.find_elements("css selector", selector)
        return [element for element in found if element.is_displayed()]

    def wait(self, until: Callable[[], bool], timeout_s: float = 60) -> None:
        """Until something is so.

        :raises selenium.common.exceptions.TimeoutException: it never was
        """
        WebDriverWait(self.driver, timeout_s, 0.05).until(lambda _: until())

    def pdf(self) -> bytes:
        """The page as it is printed."""
        made = self.driver.execute_cdp_cmd("Page.printToPDF", {})
        return base64.b64decode(made["data"])


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """The browser, with a profile of its own."""
    with chromium.chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def browser(driver: Chrome, tmp_path: Path) -> Browser:
    """The browser with nothing in it."""
    fresh = Browser(driver, tmp_path)
    fresh.scheme("light")
    return fresh
