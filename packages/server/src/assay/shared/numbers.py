"""Numbers as people read them; a missing one is a dash, never a zero."""

MISSING = "—"
SMALLEST_P = 1e-4


def number(value: float | None) -> str:
    """Four significant digits, thousands separated."""
    if value is None:
        return MISSING
    if value != 0 and abs(value) < 1e-4:  # noqa: PLR2004 — below this, plain digits are mostly zeros
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"  # noqa: PLR2004


def percent(value: float | None) -> str:
    """A share as percent with two decimals."""
    return MISSING if value is None else f"{value:.2%}"


def points(value: float | None) -> str:
    """A difference of shares in percentage points."""
    return MISSING if value is None else f"{100 * value:.2f}"


def probability(value: float | None) -> str:
    """A p-value; tiny ones keep their magnitude."""
    if value is None:
        return MISSING
    return f"{value:.1e}" if 0 < value < SMALLEST_P else f"{value:.4f}"
