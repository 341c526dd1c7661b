"""Simulated traffic with a fault planted in its split."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from assay.analysis.causes import Cause
from assay.analysis.doctor import Traffic
from assay.analysis.methods import CauseKind

START = datetime(2026, 3, 2, tzinfo=UTC)
SHARES = {
    "browser": {"chrome": 0.55, "safari": 0.25, "firefox": 0.15, "other": 0.05},
    "country": {"de": 0.4, "fr": 0.25, "it": 0.2, "es": 0.1, "pt": 0.05},
    "version": {"4.1": 0.6, "4.2": 0.4},
}


class Plant(StrEnum):
    """What is wrong."""

    NOTHING = "nothing"
    BOTS = "bots"
    REDIRECT = "redirect"
    LATE_DEPLOY = "late_deploy"
    BROKEN_VERSION = "broken_version"


@dataclass(frozen=True, slots=True)
class Units:
    """One entry per unit."""

    hour: NDArray[np.intp]
    arm: NDArray[np.intp]
    values: dict[str, NDArray[np.str_]]

    def kept(self, which: NDArray[np.bool_]) -> "Units":
        return Units(
            self.hour[which], self.arm[which], {name: found[which] for name, found in self.values.items()}
        )


def traffic(plant: Plant, rng: np.random.Generator, *, per_day: int = 20_000, hours: int = 24) -> Traffic:
    """Some hours of an even split with a fault of random size."""
    return counted(_faulty(plant, _sound(rng, per_day * hours // 24, hours), rng), hours)


def names(plant: Plant, cause: Cause) -> bool:
    """Whether a cause is the planted one."""
    match plant:
        case Plant.NOTHING:
            return False
        case Plant.BOTS:
            return (cause.kind, cause.value, cause.arm) == (CauseKind.BOTS, "true", "old")
        case Plant.REDIRECT:
            return (cause.kind, cause.arm) == (CauseKind.LOSS, "new")
        case Plant.LATE_DEPLOY:
            return (cause.kind, cause.arm) == (CauseKind.LATE_START, "new")
        case Plant.BROKEN_VERSION:
            return (cause.kind, cause.value, cause.arm) == (CauseKind.VERSION, "4.2", "new")


def _sound(rng: np.random.Generator, count: int, hours: int) -> Units:
    n = int(rng.poisson(count))
    daily = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(hours) - 9) / 24)
    values = {
        name: rng.choice(np.array(list(shares)), size=n, p=list(shares.values()))
        for name, shares in SHARES.items()
    }
    values["is_bot"] = np.where(rng.random(n) < rng.uniform(0.03, 0.08), "true", "false")
    hour = rng.choice(hours, size=n, p=daily / daily.sum())
    return Units(hour, rng.integers(0, 2, size=n), values)


def _faulty(plant: Plant, units: Units, rng: np.random.Generator) -> Units:
    is_new = units.arm == 1
    n = len(units.hour)
    match plant:
        case Plant.NOTHING:
            return units
        case Plant.BOTS:
            moved = (units.values["is_bot"] == "true") & (rng.random(n) < rng.uniform(0.7, 1.0))
            return replace(units, arm=np.where(moved, 0, units.arm))
        case Plant.REDIRECT:
            return units.kept(~(is_new & (rng.random(n) < rng.uniform(0.07, 0.2))))
        case Plant.LATE_DEPLOY:
            return units.kept(~(is_new & (units.hour < rng.integers(3, 10))))
        case Plant.BROKEN_VERSION:
            broken = units.values["version"] == "4.2"
            return units.kept(~(is_new & broken & (rng.random(n) < rng.uniform(0.15, 0.5))))


def counted(units: Units, hours: int) -> Traffic:
    """Units per hour and arm, whole and by segment."""

    def counts(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        cells = units.hour[which] * 2 + units.arm[which]
        return np.bincount(cells, minlength=2 * hours).reshape(hours, 2).astype(np.float64)

    return Traffic(
        arms=("old", "new"),
        weights=(1.0, 1.0),
        periods=tuple(START + timedelta(hours=hour) for hour in range(hours)),
        counts=counts(np.ones(len(units.hour), dtype=np.bool_)),
        segments={
            name: {str(value): counts(found == value) for value in np.unique(found)}
            for name, found in units.values.items()
        },
    )
