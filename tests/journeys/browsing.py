"""A real browser that reports what pages do behind the reader's back."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root, which build machines run as, Chromium's sandbox cannot start; the rest stops it from calling home.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass(slots=True)
class Watched:
    """A page, and what should have stayed empty: requests to other hosts and complaints of the browser."""

    page: Page
    strangers: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])


@contextmanager
def chromium() -> Generator[Browser]:
    """The distribution's Chromium; without one the test is skipped, except on a build machine."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        sentence = "no Chromium is installed; `apt-get install chromium` brings one"
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(
    browser: Browser,
    url: str,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    scripts: bool = True,
) -> Generator[Watched]:
    """A fresh page of a reader in Tokyo who prefers a colour scheme."""
    context = browser.new_context(
        base_url=url,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id="Asia/Tokyo",
    )
    watch = Watched(context.new_page())

    def note_request(request: Request) -> None:
        if not request.url.startswith((url, "data:")):
            watch.strangers.append(request.url)

    def note_complaint(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            watch.complaints.append(message.text)

    watch.page.on("request", note_request)
    watch.page.on("console", note_complaint)
    watch.page.on("pageerror", lambda error: watch.complaints.append(str(error)))
    try:
        yield watch
    finally:
        context.close()
