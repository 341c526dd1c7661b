"""The file of a real experiment, read from disk and streamed through the API, gives the known digits."""

import os
from pathlib import Path
from typing import Any

import pytest

from journey_support import (
    analyze_file,
    data_folder,
    figures,
    players,
    register,
    results,
    running_assay,
    send,
    write_players,
)

VARIABLE = "ASSAY_COOKIE_CATS"


@pytest.fixture(scope="module")
def real_file() -> Path:
    """The published file of 90,189 players."""
    given = os.environ.get(VARIABLE)
    if not given:
        pytest.skip(f"{VARIABLE} does not name the real experiment's file; its digits cannot be checked")
    return Path(given)


@pytest.fixture(scope="module")
def any_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file, or a generated one of the same shape."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    print(f"{VARIABLE} is not set: a generated file of 3,000 players stands in")  # noqa: T201 — said to whoever runs it
    return write_players(tmp_path_factory.mktemp("players") / "players.csv", players(3_000))


def _metric(document: dict[str, Any], key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    metric = next(metric for metric in document["metrics"] if metric["metric"] == key)
    return metric, metric["comparisons"][0]


def _timeless(document: dict[str, Any]) -> dict[str, float]:
    """The figures without what only events with a time or a query have."""
    calendar = ("/looks", "/diagnosis", "/sql", "/claim/day", "/arrivals", "/exposures")
    return {
        path: value for path, value in figures(document).items() if not any(part in path for part in calendar)
    }


def test_a_file_gives_the_published_digits(real_file: Path) -> None:
    """Recomputed with two independent tools before the product existed."""
    document = analyze_file(real_file)

    assert [arm["units"] for arm in document["arms"]] == [44_700, 45_489]
    assert round(document["sample_ratio"]["statistic"], 3) == 6.902
    assert round(document["sample_ratio"]["p_value"], 4) == 0.0086
    assert document["sample_ratio"]["suspicious"]

    metric, comparison = _metric(document, "retention_1")
    assert metric["kind"] == "proportion"
    assert [round(arm["mean"], 6) for arm in metric["arms"]] == [0.448188, 0.442283]
    assert round(comparison["difference"]["estimate"], 6) == -0.005905
    assert round(comparison["p_value"], 4) == 0.0744
    assert round(comparison["difference"]["low"], 5) == -0.01239
    assert round(comparison["difference"]["high"], 5) == 0.00058

    metric, comparison = _metric(document, "retention_7")
    assert [round(arm["mean"], 6) for arm in metric["arms"]] == [0.190201, 0.182000]
    assert round(comparison["difference"]["estimate"], 6) == -0.008201
    assert round(comparison["lift"]["estimate"], 4) == -0.0431
    assert round(comparison["p_value"], 5) == 0.00155
    assert round(comparison["difference"]["low"], 5) == -0.01328
    assert round(comparison["difference"]["high"], 5) == -0.00312

    metric, comparison = _metric(document, "sum_gamerounds")
    assert metric["kind"] == "mean"
    assert [round(arm["mean"], 3) for arm in metric["arms"]] == [52.456, 51.299]
    assert round(comparison["p_value"], 3) == 0.376
    assert round(_metric(document, "sum_gamerounds_capped")[1]["p_value"], 3) == 0.883


def test_the_gate_is_not_moved_and_one_sentence_says_why(real_file: Path) -> None:
    """The loss of a week's retention decides; the uneven split is said beside it."""
    document = analyze_file(real_file)

    assert document["decisions"] == [
        {
            "arm": "gate_40",
            "verdict": "do_not_ship",
            "sentence": (
                "Keep gate_30: retention_7 fell by 0.82 points (−1.33 to −0.31) with gate_40; but the split "
                "of the units is suspicious (p = 0.0086), so find its cause before you trust any number."
            ),
        }
    ]


def test_streamed_events_give_the_digits_of_the_file(any_file: Path) -> None:
    with data_folder() as data, running_assay(data) as assay:
        register(assay.url)
        send(assay.url, any_file)
        document = results(assay.url)
        streamed = _timeless(document)

    assert streamed == pytest.approx(_timeless(analyze_file(any_file)), rel=1e-12, abs=1e-15, nan_ok=True)
    assert document["decisions"] == analyze_file(any_file)["decisions"]
