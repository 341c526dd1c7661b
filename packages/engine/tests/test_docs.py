import io
import re
from contextlib import redirect_stdout
from pathlib import Path

from assay_engine.model import BucketerName, Missing, MissingUnit, Operator

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_names_every_operator_bucketer_and_policy() -> None:
    reference = (DOCS / "reference" / "datafile.md").read_text("utf-8")
    named = set(re.findall(r"`\"?([a-z0-9_-]+)\"?`", reference))

    assert set(Operator) <= named
    assert set(BucketerName) <= named
    assert set(MissingUnit) <= named
    assert set(Missing) - {"unknown"} <= named


def test_the_guide_runs_and_prints_what_it_says() -> None:
    guide = (DOCS / "guides" / "targeting.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide, re.DOTALL))
    (printed,) = re.findall(r"```text\n(.*?)```", guide, re.DOTALL)
    output = io.StringIO()

    with redirect_stdout(output):
        exec(compile(code, "targeting.md", "exec"), {})  # noqa: S102 — our own page

    assert output.getvalue() == printed
