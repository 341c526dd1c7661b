"""The pages about comparisons print what they say, and the index of methods leads to every page."""

import doctest
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "statistics"
NAMES = [
    "bootstrap",
    "clusters",
    "cuped",
    "decision",
    "heterogeneity",
    "lift",
    "margins",
    "moments",
    "multiplicity",
    "post-stratification",
    "proportions",
    "quantiles",
    "ranks",
    "rates",
    "ratio",
    "sample-ratio",
    "welch",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_page_print_what_it_says(name: str) -> None:
    failed, attempted = doctest.testfile(str(PAGES / f"{name}.md"), module_relative=False, encoding="utf-8")

    assert attempted > 0
    assert failed == 0


def test_the_index_leads_to_every_page() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")

    linked = set(re.findall(r"\(([a-z-]+)\.md\)", index))

    assert linked == {path.stem for path in PAGES.glob("*.md")} - {"README"}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_answers_the_same_questions_in_the_same_order(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")

    wanted = [
        "**Question.**",
        "## Assumptions",
        "## Formula",
        "## Example",
        "## Checked against",
        "**Source.**",
    ]
    positions = [page.find(heading) for heading in wanted]
    assert positions == sorted(positions)
    assert -1 not in positions
