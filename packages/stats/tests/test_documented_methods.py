"""The examples of the pages about these methods run and print what the pages say."""

import doctest
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "statistics"
NAMES = [
    "bandits",
    "bayesian",
    "calibration",
    "confidence-sequences",
    "exact-sequences",
    "group-sequential",
    "power",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_page_print_what_it_says(name: str) -> None:
    examples = doctest.DocTestParser().get_examples((PAGES / f"{name}.md").read_text(encoding="utf-8"))
    failed, attempted = doctest.testfile(str(PAGES / f"{name}.md"), module_relative=False, encoding="utf-8")

    assert attempted == len(examples) > 0
    assert failed == 0
