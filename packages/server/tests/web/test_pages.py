"""Pages over HTTP."""

import re
import uuid
from typing import Any
from xml.etree import ElementTree as ET

import httpx2
import pytest

from assay.analysis.document import Document
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import Task, perform
from assay.main import build_app
from support_app import borrowed, serving

from .factories import a_comparison, a_document, a_metric_result, an_estimate, undefined

pytestmark = pytest.mark.anyio

API = "/api/v1/projects/default"
PAGE = "/projects/default/experiments/checkout"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
SVG = "{http://www.w3.org/2000/svg}"


async def test_the_first_page_tells_how_to_begin(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "assay demo" in answer.text
    assert "curl http://127.0.0.1:8000/api/v1/projects/default/metrics" in answer.text
    assert 'href="/projects/default"' in answer.text


async def test_the_commands_of_the_first_page_make_an_experiment(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/")).text.replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")
    commands = re.findall(r"curl '?(http\S+?)'? \\\s+-H '([^:]+): ([^']+)' \\\s+-d '([^']+)'", text)

    statuses = [
        (await client.post(url, content=body, headers={name: value})).status_code
        for url, name, value, body in commands
    ]

    assert statuses == [201, 201, 202]
    assert (await client.get(PAGE)).status_code == 200


async def test_experiments_of_all_projects_are_listed_newest_first(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects", json={"key": "shop", "name": "Shop"})
    await register(client)
    await client.post("/api/v1/projects/shop/experiments", json=experiment("later", metrics=[]))

    text = (await client.get("/")).text

    assert text.index('href="/projects/shop/experiments/later"') < text.index(f'href="{PAGE}"')
    assert 'href="/projects/shop"' in text
    assert "assay demo" not in text


async def test_a_project_shows_its_experiments_and_metrics_in_words(client: httpx2.AsyncClient) -> None:
    await register(client)

    text = (await client.get("/projects/default")).text

    assert f'href="{PAGE}"' in text
    assert "mean per unit of the sum of “revenue”" in text


async def test_a_long_list_has_a_next_page(client: httpx2.AsyncClient) -> None:
    for number in range(51):
        await client.post(f"{API}/experiments", json=experiment(f"test-{number}", metrics=[]))

    first = (await client.get("/projects/default")).text
    (following,) = re.findall(r'href="(/projects/default\?cursor=[^"]+)"', first)
    second = (await client.get(following)).text

    assert first.count('class="title"') == 50
    assert second.count('class="title"') == 1


async def test_an_experiment_without_results_offers_to_compute_them(client: httpx2.AsyncClient) -> None:
    await register(client)

    text = (await client.get(PAGE)).text

    assert "No results yet" in text
    assert f'<form method="post" action="{PAGE}/results">' in text


async def test_the_button_begins_an_analysis_and_the_page_shows_it(client: httpx2.AsyncClient) -> None:
    await register(client)

    answer = await client.post(f"{PAGE}/results", headers=OUR_PAGE)
    text = (await client.get(answer.headers["location"])).text

    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    (poll,) = re.findall(r'data-poll="([^"]+)"', text)
    assert (await client.get(poll)).json()["state"] == "PENDING"
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    assert re.findall(r"<form [^>]*action=\"([^\"]+)\"", text) == [
        f"{PAGE}/results/{poll.rpartition('/')[2]}/stop"
    ]


async def test_pressing_the_button_twice_is_one_analysis(client: httpx2.AsyncClient) -> None:
    await register(client)

    await client.post(f"{PAGE}/results", headers=OUR_PAGE)
    await client.post(f"{PAGE}/results", headers=OUR_PAGE)

    assert len((await client.get(f"{API}/experiments/checkout/results")).json()["items"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.test"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.test"},
        {},
    ],
)
async def test_a_form_of_another_site_begins_nothing(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    await register(client)

    answer = await client.post(f"{PAGE}/results", headers={**BROWSER, **headers})

    assert answer.status_code == 403
    assert "not sent from one of Assay" in answer.text
    assert (await client.get(f"{API}/experiments/checkout/results")).json()["items"] == []


async def test_the_page_shows_the_numbers_of_the_json(client: httpx2.AsyncClient, database: Database) -> None:
    await register(client)
    await compute(client, database, a_document())

    text = (await client.get(PAGE)).text
    (address,) = re.findall(r'id="document" href="([^"]+)"', text)
    (metric,) = (await client.get(address)).json()["document"]["metrics"]

    (comparison,) = metric["comparisons"]
    shown = [float(value) for value in re.findall(r'<data value="([^"]+)">', text)]
    ends = [comparison["difference"][end] for end in ("estimate", "low", "high")]
    lift = [comparison["lift"][end] for end in ("estimate", "low", "high")]
    means = [arm["mean"] for arm in metric["arms"]]
    assert shown[2:11] == [means[0], means[1], *ends, *lift, comparison["p_value"]]


async def test_the_plot_is_an_accessible_drawing_in_the_page(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await register(client, known_effects={"revenue": [{"arm": "B", "difference": 1.2}]})
    await compute(client, database, a_document())

    plot = svg((await client.get(PAGE)).text)

    assert plot.get("role") == "img"
    assert text_of(plot, "title") == "Lift of each metric with its 95% interval"
    assert text_of(plot, "desc") == "Revenue, New: +10.00% (+5.00% to +15.00%)."
    assert len(plot.findall(f".//{SVG}path[@class='known']")) == 1
    assert len(plot.findall(f".//{SVG}line[@class='zero']")) == 1


async def test_undefined_numbers_say_why(client: httpx2.AsyncClient, database: Database) -> None:
    nothing = undefined("a variant has no units")
    comparison = a_comparison(nothing, nothing, p_value=None)
    await register(client)
    await compute(client, database, a_document(a_metric_result(comparison, control=None)))

    text = (await client.get(PAGE)).text

    assert "Cannot be computed, because a variant has no units." in text
    assert "There is no lift to draw" in text
    assert "nan" not in text.lower()


async def test_a_lift_alone_may_be_undefined(client: httpx2.AsyncClient, database: Database) -> None:
    comparison = a_comparison(an_estimate(), undefined("the control mean is 0"))
    await register(client)
    await compute(client, database, a_document(a_metric_result(comparison)))

    text = (await client.get(PAGE)).text

    assert "The lift of New against Old cannot be computed, because the control mean is 0." in text
    assert "The interval excludes 0" in text


async def test_a_failed_analysis_is_told_and_may_be_tried_again(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await register(client)
    await run(client, database, None)

    text = (await client.get(PAGE)).text

    assert "The last analysis failed" in text
    assert "Try again" in text


async def test_words_of_users_are_never_markup(client: httpx2.AsyncClient, database: Database) -> None:
    attack = "<script>alert(1)</script>"
    await register(client, name=attack, description=attack)
    await compute(client, database, a_document())

    for page in ("/", "/projects/default", PAGE):
        text = (await client.get(page)).text
        assert "&lt;script&gt;" in text
        assert attack not in text


@pytest.mark.parametrize("path", ["/", "/projects/default", PAGE, "/docs", "/nowhere"])
async def test_pages_carry_no_script_or_style_of_their_own(client: httpx2.AsyncClient, path: str) -> None:
    await register(client)

    text = (await client.get(path, headers=BROWSER)).text

    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text) == []
    assert re.findall(r'(?:src|href|action)="(?:\w+:)?//', text) == []


async def test_every_file_a_page_names_is_kept_for_ever(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/")).text + (await client.get("/docs")).text

    addresses = set(re.findall(r'"(/static/[^"]+)"', text))

    assert len(addresses) == 6
    for address in addresses:
        answer = await client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_file_without_its_version_is_asked_for_again(client: httpx2.AsyncClient) -> None:
    first = await client.get("/static/assay.css")
    again = await client.get("/static/assay.css", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "public, no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "README.md", "..%2Frouter.py", "%2Fetc%2Fpasswd"])
async def test_only_listed_files_are_served(client: httpx2.AsyncClient, name: str) -> None:
    assert (await client.get(f"/static/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/projects/mars", "no project &#39;mars&#39;"),
        (f"{PAGE}s", "project &#39;default&#39; has no experiment &#39;checkouts&#39;"),
        ("/projects/Not%20a%20key", "there is no page at this address"),
        ("/projects/%00", "there is no page at this address"),
        ("/nowhere", "Not Found"),
    ],
)
async def test_what_is_not_there_is_a_page_for_people(
    client: httpx2.AsyncClient, path: str, sentence: str
) -> None:
    answer = await client.get(path, headers=BROWSER)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert sentence in answer.text


async def test_a_wrong_cursor_is_explained_on_a_page(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/?cursor=xyz", headers=BROWSER)

    assert answer.status_code == 422
    assert "start without a cursor" in answer.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api/v1/projects/mars", "text/html"),
        ("/projects/mars", "application/json"),
        ("/projects/mars", "*/*"),
    ],
)
async def test_programs_get_problems(client: httpx2.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(path, headers={"Accept": accept})

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "project_not_found"


async def test_a_method_that_a_page_does_not_have_keeps_its_headers(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/projects/default", headers=BROWSER)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_page_fails_as_a_page(settings: Settings, database: Database) -> None:
    app = build_app(settings, lambda: borrowed(database))

    @app.get("/broken")
    async def broken() -> None:  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        raise RuntimeError("secret")

    async with serving(app) as client:
        answer = await client.get("/broken", headers=BROWSER)

    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize("prefix", ["", "/tools/assay"])
async def test_everything_works_below_a_sub_path(settings: Settings, database: Database, prefix: str) -> None:
    # Some proxies cut the sub-path off, others pass it on.
    below = settings.model_copy(update={"root_path": "/tools/assay"})
    async with serving(build_app(below, lambda: borrowed(database))) as client:
        await register(client)
        begun = await client.post(f"{prefix}{PAGE}/results", headers=OUR_PAGE)
        texts = [
            (await client.get(f"{prefix}{path}")).text for path in ("/", "/projects/default", PAGE, "/docs")
        ]
        addresses = {
            address
            for text in texts
            for address in re.findall(r'(?:href|src|data-poll|data-openapi)="([^"#]+)"', text)
        }
        asked = {prefix + address.removeprefix("/tools/assay") for address in addresses}
        statuses = {(await client.get(address)).status_code for address in asked}

    assert begun.headers["location"] == f"/tools/assay{PAGE}"
    forms = {address for text in texts for address in re.findall(r'action="([^"#]+)"', text)}
    assert {address for address in addresses | forms if not address.startswith("/tools/assay/")} == set()
    assert forms
    assert statuses == {200}


@pytest.mark.parametrize("path", ["/tools/assay", "/tools/assay/", "/"])
async def test_the_first_page_stands_at_the_sub_path_itself(
    settings: Settings, database: Database, path: str
) -> None:
    below = settings.model_copy(update={"root_path": "/tools/assay"})
    async with serving(build_app(below, lambda: borrowed(database))) as client:
        answer = await client.get(path, follow_redirects=True)

    assert answer.status_code == 200
    assert "curl http://127.0.0.1:8000/tools/assay/api/v1/projects/default/metrics" in answer.text


async def test_the_documentation_is_ours(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/docs")).text

    assert 'data-openapi="/openapi.json"' in text
    assert (await client.get("/openapi.json")).status_code == 200
    assert (await client.get("/redoc")).status_code == 404


async def test_pages_are_no_part_of_the_api(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    assert {path for path in paths if not path.startswith("/api/")} <= {"/health", "/ready"}


async def register(client: httpx2.AsyncClient, **parts: object) -> None:
    metric = {"key": "revenue", "name": "Revenue", "definition": {"kind": "mean", "event": "revenue"}}
    await client.post(f"{API}/metrics", json=metric)
    assert (await client.post(f"{API}/experiments", json=experiment("checkout", **parts))).status_code == 201


def experiment(key: str = "checkout", **parts: object) -> dict[str, object]:
    return {
        "key": key,
        "name": key.capitalize(),
        "arms": [{"key": "A", "name": "Old"}, {"key": "B", "name": "New"}],
        "control": "A",
        "metrics": ["revenue"],
    } | parts


async def compute(client: httpx2.AsyncClient, database: Database, document: Document) -> None:
    await run(client, database, document)


async def run(client: httpx2.AsyncClient, database: Database, document: Document | None) -> None:
    """Begins an analysis with the button and ends it with this document, or in failure without one."""
    await client.post(f"{PAGE}/results", headers=OUR_PAGE)
    (task,) = (await client.get(f"{API}/experiments/checkout/results")).json()["items"]

    async def results(_task: Task) -> dict[str, Any]:
        if document is None:
            raise ValueError("no document")
        return document.model_dump(mode="json")

    await perform(database, uuid.UUID(task["id"]), {"results": results})


def svg(page: str) -> ET.Element:
    (drawing,) = re.findall(r'<svg class="plot".*?\n</svg>', page, re.DOTALL)
    return ET.fromstring(  # noqa: S314 — our own page
        drawing.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    )


def text_of(element: ET.Element, tag: str) -> str | None:
    found = element.find(f"{SVG}{tag}")
    return None if found is None else found.text
