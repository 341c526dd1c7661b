"""Results cut by dimensions: by those that units have, and with errors as the assignment asks for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ibis
import numpy as np
from scipy.stats import binom

from assay.analysis.collected import Collected, Cut, Excluded, Segment
from assay.analysis.document import Document
from assay.analysis.experiment import Options, watch_events
from assay.analysis.file import FileRequest, analyze_file
from assay.analysis.plan import Dimension
from assay.analysis.segmenting import heterogeneity
from assay.sources.service import local_engine
from assay_stats import ClusterTotals
from assay_stats.moments import JointMoments

from .measuring import Row, a_metric, a_plan, event, exposure, table_of

SPENT = a_metric("spent", kind="mean", event="order")


def told(rows: Iterator[Row], *dimensions: str) -> Document:
    options = Options(segments=[Dimension(each) for each in dimensions], has_looks=False)
    table = local_engine().create_table("events", ibis.memtable(table_of(rows)), temp=True)
    return watch_events({None: table}, a_plan(SPENT, options=options))


def a_shop(**properties: str) -> Iterator[Row]:
    for number in range(300):
        yield exposure(f"u{number}", "ab"[number % 2], 0.0, **properties)
        yield event("order", f"u{number}", 1.0, float(number % 7))


def test_a_property_that_no_exposure_has_is_named_with_those_there_are() -> None:
    document = told(a_shop(country="de", browser="ff"), "contry", "country")

    (sentence,) = document.uncut
    assert sentence == (
        "No unit has a value of 'contry', so the result cannot be cut by it; "
        "exposures carry browser, country."
    )
    assert "no unit has a value of it" in (document.heterogeneity[0].problem or "")
    assert "fewer than two segments" in (document.heterogeneity[1].problem or "")


def test_exposures_without_properties_say_so() -> None:
    (sentence,) = told(a_shop(), "country").uncut

    assert sentence.endswith("; exposures carry no properties.")


def test_a_column_without_a_value_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("unit,arm,spent,country\n1,a,1,\n2,a,2,\n3,b,3,\n4,b,4,\n", encoding="utf-8")
    asked = FileRequest(
        path=file, unit="unit", variant="arm", control="a", metrics=["spent"], segments=["country"]
    )

    assert analyze_file(asked).uncut == [
        "No unit has a value of 'country', so the result cannot be cut by it."
    ]


PER_ARM, SIZE, TRIALS = 40, 10, 400


def a_cut_of_clusters(rng: np.random.Generator) -> Cut:
    """Two arms of clusters whose units are alike within them, and no effect."""
    tastes = rng.normal(0.0, 1.0, (2, PER_ARM, 1))
    values = tastes + rng.normal(0.0, 1.0, (2, PER_ARM, SIZE))
    own = np.eye(2)[:, :, None] * np.ones(PER_ARM)
    totals = [
        ClusterTotals((SIZE * own[arm]).ravel(), (own[arm] * values[arm].sum(axis=-1)).ravel())
        for arm in (0, 1)
    ]
    moments = [JointMoments.from_values(values[arm].reshape(-1, 1)) for arm in (0, 1)]
    return Cut(
        units={"a": PER_ARM * SIZE, "b": PER_ARM * SIZE},
        moments={"spent": dict(zip("ab", moments, strict=True))},
        clusters={"spent": dict(zip("ab", totals, strict=True))},
    )


def alarms(*, robust: bool) -> int:
    """Of so many experiments without an effect in any segment: in how many effects are said to differ."""
    rng = np.random.default_rng(7)
    plan = a_plan(SPENT, options=Options(segments=[Dimension("country")], has_looks=False))
    ringing = 0
    for _ in range(TRIALS):
        cuts = [a_cut_of_clusters(rng) for _ in range(3)]
        cuts = cuts if robust else [replace(cut, clusters={}) for cut in cuts]
        segments = [Segment("country", f"=c{number}", cut) for number, cut in enumerate(cuts)]
        (found,) = heterogeneity(plan, Collected(Cut({}), Excluded(), segments=segments))
        ringing += found.finding == "differs"
    return ringing


def test_segments_of_clusters_ring_as_seldom_as_promised_and_naive_errors_would_not() -> None:
    most = int(binom.isf(1e-5, TRIALS, 0.05))

    assert alarms(robust=True) <= most
    assert alarms(robust=False) > 3 * most
