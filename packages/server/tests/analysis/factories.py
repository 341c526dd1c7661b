"""Looks and questions with plain numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from assay.analysis.inference import Question
from assay.analysis.readers import Look
from assay_stats.estimands import ArmMean, mean_of
from assay_stats.moments import Moments
from assay_stats.undefined import DEFINED

START = datetime(2026, 3, 1, tzinfo=UTC)


def an_arm(value: float, error: float, n: float) -> ArmMean:
    """An estimated mean with half of a squared standard error."""
    half = np.float64(error**2 / 2)
    return ArmMean(np.float64(value), half, half, np.float64(n - 1), DEFINED)  # pyright: ignore[reportArgumentType]  # scalars quack as 0-d arrays


def a_look(
    effect: float = 0.0, error: float = 1.0, *, units: float = 10_000, day: int = 0, **more: Any
) -> Look:
    """A control of 100 and a treatment that differs by an effect with a standard error."""
    half = units / 2
    return Look(
        at=START + timedelta(days=day),
        n_control=half,
        n_treatment=half,
        control=an_arm(100.0, error, half),
        treatment=an_arm(100.0 + effect, error, half),
        **more,
    )


def looks(statistics: Sequence[float], *, step: float = 2_000) -> tuple[Look, ...]:
    """Daily looks with these standardised effects and standard errors that shrink with the units."""
    return tuple(
        a_look(z / np.sqrt(day), 1 / np.sqrt(day), units=step * day, day=day)
        for day, z in enumerate(statistics, start=1)
    )


def a_question(*taken: Look, **more: Any) -> Question:
    """One metric in one arm."""
    given: dict[str, Any] = {"metric": "revenue", "name": "Revenue", "arm": "new", "looks": taken}
    return Question(**(given | more))


def a_look_of(control: Moments, treatment: Moments, *, day: int = 0) -> Look:
    """Two means."""
    return Look(
        at=START + timedelta(days=day),
        n_control=float(control.n),
        n_treatment=float(treatment.n),
        control=mean_of(control),
        treatment=mean_of(treatment),
    )
