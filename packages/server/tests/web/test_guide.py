"""The guide quotes what the page says."""

from pathlib import Path

from assay.web.figures import POINTS
from assay.web.verdict import verdict

from .factories import an_estimate, undefined

GUIDE = Path(__file__).parents[4] / "docs/guides/reading-a-result.md"


def test_the_guide_quotes_verdicts_as_the_page_words_them() -> None:
    quoted = [line[2:] for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("> ")]

    differences = [
        an_estimate(-0.01328, -0.00312),
        an_estimate(-0.0125, 0.0005),
        undefined("a variant has no units"),
    ]
    assert quoted == [
        verdict(difference, arm="New", control="Old", direction="increase", scale=POINTS).sentence
        for difference in differences
    ]
