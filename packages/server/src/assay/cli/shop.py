"""A simulated shop whose true effects are known, to see what an analysis makes of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

CONTROL, TREATMENT = "one_page", "two_steps"
EXPERIMENT = "checkout"


@dataclass(frozen=True, slots=True)
class Arm:
    """How visitors of one arm behave.

    Attributes:
        buys: Share of visitors who buy at all.
        further_orders: Mean number of orders after the first, per buyer.
        basket: Mean value of an order.
        tickets: Mean number of support tickets per visitor.
    """

    buys: float
    further_orders: float
    basket: float
    tickets: float

    @property
    def revenue_per_visitor(self) -> float:
        """Expected value of all orders of a visitor."""
        return self.buys * (1 + self.further_orders) * self.basket


ARMS = {
    CONTROL: Arm(buys=0.100, further_orders=0.30, basket=40.0, tickets=0.060),
    TREATMENT: Arm(buys=0.112, further_orders=0.30, basket=40.0, tickets=0.060),
}
BASKET_SIGMA = 0.8

METRICS: list[dict[str, Any]] = [
    {
        "key": "conversion",
        "name": "Visitors who buy",
        "definition": {"kind": "proportion", "event": "order"},
    },
    {
        "key": "revenue",
        "name": "Revenue per visitor",
        "definition": {"kind": "mean", "event": "order", "aggregate": "sum"},
    },
    {
        "key": "basket",
        "name": "Revenue per order",
        "definition": {
            "kind": "ratio",
            "numerator": {"event": "order", "aggregate": "sum"},
            "denominator": {"event": "order", "aggregate": "count"},
        },
    },
    {
        "key": "tickets",
        "name": "Support tickets per visitor",
        "direction": "decrease",
        "definition": {"kind": "mean", "event": "ticket", "aggregate": "count"},
    },
]


def true_effects() -> dict[str, float]:
    """Treatment minus control of each metric, as the shop was made."""
    base, other = ARMS[CONTROL], ARMS[TREATMENT]
    return {
        "conversion": other.buys - base.buys,
        "revenue": other.revenue_per_visitor - base.revenue_per_visitor,
        "basket": other.basket - base.basket,
        "tickets": other.tickets - base.tickets,
    }


def experiment() -> dict[str, Any]:
    """The experiment to register, with the truth beside it."""
    return {
        "key": EXPERIMENT,
        "name": "Checkout in two steps",
        "description": "A simulated shop, its past week sent at once. Diamonds mark its true effects.",
        "arms": [{"key": CONTROL, "name": "One page"}, {"key": TREATMENT, "name": "Two steps"}],
        "control": CONTROL,
        "metrics": [metric["key"] for metric in METRICS],
        "known_effects": {
            metric: [{"arm": TREATMENT, "difference": effect}] for metric, effect in true_effects().items()
        },
    }


def events(visitors: int, *, rng: np.random.Generator, start: datetime) -> Iterator[dict[str, Any]]:
    """The shop's exposures and metric events, visitor by visitor.

    Args:
        visitors: How many come, half to each arm by chance.
        start: When the first comes; all come within a week.
    """
    arms = rng.integers(0, 2, visitors)
    minutes = np.sort(rng.uniform(0, 7 * 24 * 60, visitors))
    for number, (arm, minute) in enumerate(zip(arms, minutes, strict=True)):
        name = TREATMENT if arm else CONTROL
        at = start + timedelta(minutes=float(minute))
        yield from _visit(f"visitor-{number}", name, at, rng)


def first_visit(now: datetime) -> datetime:
    """A start such that the whole week lies in the past."""
    return (now - timedelta(days=8)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _visit(unit: str, name: str, at: datetime, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    arm = ARMS[name]
    yield {
        "kind": "exposure", "id": f"{unit}:exposure", "experiment": EXPERIMENT, "variant": name, "unit": unit,
        "at": at.isoformat(),
    }  # fmt: skip
    orders = (1 + rng.poisson(arm.further_orders)) if rng.random() < arm.buys else 0
    # The mean of a log-normal is exp(mu + sigma² / 2).
    mu = math.log(arm.basket) - BASKET_SIGMA**2 / 2
    for order in range(orders):
        yield _event(unit, "order", order, at, value=round(float(rng.lognormal(mu, BASKET_SIGMA)), 4))
    for ticket in range(rng.poisson(arm.tickets)):
        yield _event(unit, "ticket", ticket, at, value=None)


def _event(unit: str, name: str, number: int, at: datetime, *, value: float | None) -> dict[str, Any]:
    return {
        "kind": "event", "id": f"{unit}:{name}:{number}", "name": name, "unit": unit, "value": value,
        "at": (at + timedelta(minutes=1 + number)).isoformat(),
    }  # fmt: skip
