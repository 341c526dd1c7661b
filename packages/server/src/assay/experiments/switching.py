"""A switchback's windows: when they begin, how they are balanced, how many there will be; pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay.experiments.plan import Plan, Switchback
from assay_engine.model import Windows

MINUTES_PER_DAY = 60 * 24
# Longer blocks hardly balance anything before the experiment ends.
LONGEST_BLOCK = 12
_ROUNDING = 1e-9


def windows_of(switchback: Switchback, weights: Sequence[float], *, at: datetime) -> Windows:
    """The windows of a phase that begins at a moment."""
    anchor = (switchback.anchor or at).astimezone(UTC).replace(second=0, microsecond=0)
    return Windows(switchback.window_minutes, anchor, block_of(weights) if switchback.balanced else 1)


def block_of(weights: Sequence[float]) -> int:
    """The fewest windows in a row that every arm can have its exact share of; 1 where no few can."""
    whole = sum(weights)
    for block in range(2, LONGEST_BLOCK + 1):
        shares = [weight / whole * block for weight in weights]
        if all(abs(share - round(share)) < _ROUNDING for share in shares):
            return block
    return 1


def window_count(plan: Plan) -> int | None:
    """How many whole windows the planned days have; None without a switchback or a duration."""
    if plan.switchback is None or plan.duration_days is None:
        return None
    return plan.duration_days * MINUTES_PER_DAY // plan.switchback.window_minutes


def to_json(windows: Windows) -> dict[str, object]:
    """Windows as a frozen plan holds them."""
    return {"minutes": windows.minutes, "anchor": windows.anchor.isoformat(), "block": windows.block}


def from_json(frozen: Mapping[str, Any]) -> Windows:
    """Windows as a frozen plan has them."""
    return Windows(frozen["minutes"], datetime.fromisoformat(frozen["anchor"]), frozen["block"])
