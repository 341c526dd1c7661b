"""Geometry of a bandit's weights over its epochs: steps, since a split stays until it moves."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from assay.experiments.schemas import EpochOut
from assay.shared.numbers import percent
from assay.web.series_plot import MOST_X_TICKS, Curve, Series, Tick

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def weights(epochs: Sequence[EpochOut], labels: Mapping[str, str], *, until: datetime) -> Series | None:
    """The drawing of all arms' shares; None before the weights have been looked at once.

    Args:
        labels: What people call the arms, by key.
        until: Where the newest epoch ends for now.
    """
    if len(epochs) < 2:  # noqa: PLR2004 — one split is no curve
        return None
    bounds = [epoch.began_at for epoch in epochs] + [max(until, epochs[-1].began_at)]
    places = _places(bounds)
    return Series(
        title="Share of each arm",
        description=" ".join(
            f"{labels[arm]}: {percent(share)}." for arm, share in epochs[-1].weights.items()
        ),
        curves=[
            Curve(labels[arm], _steps([epoch.weights[arm] for epoch in epochs], places), number)
            for number, arm in enumerate(epochs[-1].weights)
        ],
        band=None,
        zero=None,
        x_ticks=_ticks(bounds, places),
        y_ticks=[Tick(_height(share), f"{100 * share:.0f} %") for share in SHARES],
    )


def _places(bounds: Sequence[datetime]) -> list[float]:
    whole = (bounds[-1] - bounds[0]).total_seconds() or 1.0
    return [round(100 * (bound - bounds[0]).total_seconds() / whole, 2) for bound in bounds]


def _steps(shares: Sequence[float], places: Sequence[float]) -> str:
    corners = [
        f"{place},{_height(share)}"
        for number, share in enumerate(shares)
        for place in (places[number], places[number + 1])
    ]
    return " ".join(corners)


def _height(share: float) -> float:
    return round(100 * (1 - share), 2)


def _ticks(bounds: Sequence[datetime], places: Sequence[float]) -> list[Tick]:
    step = max(1, math.ceil((len(bounds) - 1) / MOST_X_TICKS))
    is_short = (bounds[-1] - bounds[0]).days < MOST_X_TICKS
    pattern = "%-d %b %H:%M" if is_short else "%-d %b"
    return [
        Tick(place, f"{bound:{pattern}}") for bound, place in list(zip(bounds, places, strict=True))[:-1:step]
    ]
