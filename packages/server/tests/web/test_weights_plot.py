"""The picture of a bandit's weights: steps that stay until they move."""

from datetime import UTC, datetime, timedelta

from assay.experiments.schemas import EpochOut
from assay.web.weights_plot import weights

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LABELS = {"old": "Old", "new": "New"}


def an_epoch(number: int, new: float, *, hours: float) -> EpochOut:
    return EpochOut(
        number=number,
        began_at=BEGIN + timedelta(hours=hours),
        weights={"old": 1 - new, "new": new},
        moved=True,
        reason="",
        basis={},
    )


def test_each_weight_is_a_level_line_until_the_next_epoch() -> None:
    epochs = [an_epoch(1, 0.5, hours=0), an_epoch(2, 0.75, hours=24)]

    plot = weights(epochs, LABELS, until=BEGIN + timedelta(hours=96))

    assert plot is not None
    assert [(curve.name, curve.points) for curve in plot.curves] == [
        ("Old", "0.0,50.0 25.0,50.0 25.0,75.0 100.0,75.0"),
        ("New", "0.0,50.0 25.0,50.0 25.0,25.0 100.0,25.0"),
    ]
    assert [tick.label for tick in plot.x_ticks] == ["1 Mar 00:00", "2 Mar 00:00"]
    assert "New: 75" in plot.description


def test_before_the_weights_were_looked_at_there_is_nothing_to_draw() -> None:
    assert weights([an_epoch(1, 0.5, hours=0)], LABELS, until=BEGIN) is None
