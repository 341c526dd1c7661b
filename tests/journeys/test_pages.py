"""The pages of a running Assay, read by a real browser."""

import re
import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, Literal

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from assay.cli import shop
from journey_support import data_folder, running_assay

from .browsing import chromium, watched

# A machine that is busy with other tests still answers; what never comes fails all the same.
expect.set_options(timeout=60_000)
VISITORS = 3_000
PAGE = "/projects/shop/experiments/checkout"
API = "/api/v1/projects/shop/experiments/checkout/results"


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def url(browser: Browser, database_url: str) -> Generator[str]:
    """A running Assay with a simulated shop in it, nothing computed yet."""
    del browser  # Without one nothing needs to be started.
    settings = {"ASSAY_DATABASE_URL": database_url}
    with data_folder() as data, running_assay(data, settings=settings) as assay:
        open_shop(assay.url)
        yield assay.url


@pytest.fixture(scope="module")
def computed(url: str) -> dict[str, Any]:
    """The results as the API gives them."""
    with httpx2.Client(base_url=url) as api:
        api.post(API).raise_for_status()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            answer = api.get(f"{API}/latest")
            if answer.status_code == 200:
                return answer.json()["document"]
            time.sleep(0.1)
    raise AssertionError("no results within a minute")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_sees_the_numbers_of_the_api(
    browser: Browser, url: str, computed: dict[str, Any], scheme: Literal["light", "dark"]
) -> None:
    with watched(browser, url, scheme=scheme) as watch:
        watch.page.goto(PAGE)

        for metric in computed["metrics"]:
            card = watch.page.locator(f"[data-metric='{metric['metric']}']")
            assert means_in(card) == {arm["arm"]: arm["mean"] for arm in metric["arms"]}
            for comparison in metric["comparisons"]:
                row = card.locator(f"table >> nth=0 >> [data-arm='{comparison['arm']}']")
                assert ends_in(row, "difference") == ends_of(comparison["difference"])
                assert ends_in(row, "lift") == ends_of(comparison["lift"])
                assert numbers_in(row.locator(".p")) == [comparison["p_value"]]
        units = [numbers_in(row) for row in watch.page.locator("#arms tbody tr").all()]
        assert units == [[arm["units"]] for arm in computed["arms"]]
        assert brightness(watch.page) > 200 if scheme == "light" else brightness(watch.page) < 50
        assert (watch.strangers, watch.complaints) == ([], [])


def test_the_plot_shows_every_interval_and_the_true_effects(
    browser: Browser, url: str, computed: dict[str, Any]
) -> None:
    with watched(browser, url) as watch:
        watch.page.goto(PAGE)
        plot = watch.page.get_by_role("img", name="Lift of each metric with its 95% interval")

        rows = plot.locator(".plot-row").all()
        zero = middle(plot.locator(".zero"))
        assert len(rows) == len(computed["metrics"])
        for row, metric in zip(rows, computed["metrics"], strict=True):
            lift = metric["comparisons"][0]["lift"]
            whisker = box(row.locator(".whisker").first)
            assert (whisker["x"] > zero) == (lift["low"] > 0)
            assert whisker["x"] < middle(row.locator(".point")) < whisker["x"] + whisker["width"]
            assert row.locator(".known").count() == 1


@pytest.mark.parametrize("width", [320, 380, 1280])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, url: str, computed: dict[str, Any], width: int
) -> None:
    assert computed["metrics"]
    with watched(browser, url, width=width) as watch:
        for path in ("/", "/projects/shop", "/projects/default", PAGE, "/nowhere"):
            watch.page.goto(path)
            scroll = watch.page.evaluate("document.documentElement.scrollWidth")
            assert scroll <= width, path


def test_times_are_told_in_the_reader_s_zone(browser: Browser, url: str, computed: dict[str, Any]) -> None:
    assert computed["metrics"]
    with watched(browser, url) as watch:
        watch.page.goto(PAGE)
        moment = watch.page.locator("time.moment").first

        at = datetime.fromisoformat(str(moment.get_attribute("datetime")))
        assert at.tzinfo == UTC
        # Tokyo is nine hours ahead all year.
        assert f"{(at.hour + 9) % 24:02}:{at.minute:02}" in moment.inner_text()


def test_the_button_computes_and_the_page_follows(browser: Browser, url: str) -> None:
    register(url, "by-button")
    with watched(browser, url) as watch:
        watch.page.goto("/projects/shop/experiments/by-button")
        watch.page.get_by_role("button", name="Compute results").click()

        expect(watch.page.get_by_role("heading", name="Metrics")).to_be_visible()
        expect(watch.page.get_by_role("button", name="Compute again")).to_be_visible()
        assert (watch.strangers, watch.complaints) == ([], [])


def test_everything_works_without_scripts(browser: Browser, url: str) -> None:
    register(url, "without-scripts")
    with watched(browser, url, scripts=False) as watch:
        watch.page.goto("/projects/shop/experiments/without-scripts")
        watch.page.get_by_role("button", name="Compute results").click()

        expect(watch.page.get_by_role("heading", name="Metrics")).to_be_visible()
        expect(watch.page.locator("time.moment").first).to_contain_text("UTC")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_is_described_without_another_host(
    browser: Browser, url: str, scheme: Literal["light", "dark"]
) -> None:
    with watched(browser, url, scheme=scheme) as watch:
        watch.page.goto("/docs")
        expect(watch.page.get_by_text("/api/v1/events", exact=True)).to_be_visible()
        watch.page.get_by_text("/health", exact=True).click()
        watch.page.get_by_role("button", name="Try it out").click()
        watch.page.get_by_role("button", name="Execute").click()

        expect(watch.page.locator(".live-responses-table").get_by_text("200")).to_be_visible()
        assert (watch.strangers, watch.complaints) == ([], [])


def means_in(card: Locator) -> dict[str, float | None]:
    """The value of each arm."""
    rows = card.locator("table >> nth=0 >> tbody tr").all()
    return {str(row.get_attribute("data-arm")): numbers_in(row.locator(".value"))[0] for row in rows}


def ends_in(row: Locator, name: str) -> list[float]:
    """An estimate and the ends of its interval, and that people read the same."""
    cell = row.locator(f"[data-interval='{name}']")
    exact = numbers_in(cell)
    shares = name == "lift" or "pp" in cell.inner_text()
    for number, shown in zip(exact, cell.locator("data").all_inner_texts(), strict=True):
        digits = re.sub(r"[^0-9.\-]", "", shown.replace("−", "-"))
        decimals = len(digits.partition(".")[2])
        assert float(digits) == pytest.approx(number * (100 if shares else 1), abs=0.5001 * 10**-decimals)
    return exact


def ends_of(estimate: dict[str, float]) -> list[float]:
    """The same from the JSON."""
    return [estimate["estimate"], estimate["low"], estimate["high"]]


def numbers_in(place: Locator) -> list[float]:
    """The exact numbers behind the ones people read."""
    return [float(str(found.get_attribute("value"))) for found in place.locator("data").all()]


def middle(place: Locator) -> float:
    """The horizontal centre of a drawn thing."""
    found = box(place)
    return found["x"] + found["width"] / 2


def box(place: Locator) -> dict[str, float]:
    """Where a thing is drawn."""
    return place.evaluate(
        "thing => { const { x, width } = thing.getBoundingClientRect(); return { x, width } }"
    )


def brightness(page: Page) -> float:
    """Of the paper, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


def open_shop(url: str) -> None:
    """Registers the shop's metrics and experiment and sends its events."""
    with httpx2.Client(base_url=url) as api:
        api.post("/api/v1/projects", json={"key": "shop", "name": "Shop"}).raise_for_status()
        for metric in shop.METRICS:
            api.post("/api/v1/projects/shop/metrics", json=metric).raise_for_status()
        api.post("/api/v1/projects/shop/experiments", json=shop.experiment()).raise_for_status()
        events = list(
            shop.events(VISITORS, rng=np.random.default_rng(7), start=shop.first_visit(datetime.now(UTC)))
        )
        for start in range(0, len(events), 1000):
            batch = events[start : start + 1000]
            api.post("/api/v1/events", params={"project": "shop"}, json=batch).raise_for_status()


def register(url: str, key: str) -> None:
    """A further experiment of the shop, with few units of its own."""
    at = shop.first_visit(datetime.now(UTC)).isoformat()
    exposures = [
        {"kind": "exposure", "experiment": key, "variant": variant, "unit": f"visitor-{unit}", "at": at}
        for variant in shop.ARMS
        for unit in (range(100) if variant == shop.CONTROL else range(100, 200))
    ]
    with httpx2.Client(base_url=url) as api:
        made = api.post("/api/v1/projects/shop/experiments", json=shop.experiment() | {"key": key})
        made.raise_for_status()
        api.post("/api/v1/events", params={"project": "shop"}, json=exposures).raise_for_status()
