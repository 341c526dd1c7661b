"""What a run of the calibration suite found, to be read and to be parsed."""

from dataclasses import asdict, dataclass
from typing import Any

from assay_stats.calibration.acceptance import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One claim after its simulation.

    Attributes:
        name: Of the claim.
        family: What it belongs to.
        kind: How the probability relates to the target.
        target: Claimed probability.
        slack: Deviation allowed.
        must_fail: Whether it is a negative control.
        trials: Experiments that counted.
        measured: Share of them in which the event happened.
        lower: Least share that would agree with the claim.
        upper: Largest share that would agree with the claim.
        agrees: Whether the measured share does.
        seconds: Time taken.
    """

    name: str
    family: str
    kind: Kind
    target: float
    slack: float
    must_fail: bool
    trials: int
    measured: float
    lower: float
    upper: float
    agrees: bool
    seconds: float

    @property
    def passed(self) -> bool:
        """A claim passes when it agrees, a negative control when it does not."""
        return self.agrees != self.must_fail

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "kind": self.kind.value, "passed": self.passed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run.

    Attributes:
        outcomes: In the order they ran.
        scale: Replications over those at scale 1.
        seed: Of the random numbers; the same seed and scale give the same report.
        family_false_alarm: Probability that a run of right claims contains any failure.
        seconds: Time taken.
    """

    outcomes: tuple[Outcome, ...]
    scale: float
    seed: int
    family_false_alarm: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every claim agreed and every negative control was noticed."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that did not pass."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    @property
    def experiments(self) -> int:
        """Simulated experiments in all."""
        return sum(outcome.trials for outcome in self.outcomes)

    @property
    def verdict(self) -> str:
        """One sentence."""
        controls = sum(outcome.must_fail for outcome in self.outcomes)
        checked = f"{len(self.outcomes) - controls} claims and {controls} negative controls"
        done = f"{self.experiments:,} experiments in {self.seconds:.1f} s"
        if self.passed:
            return f"All {checked} passed: {done}, false alarm at most {self.family_false_alarm:g}."
        return f"{len(self.failures)} of {checked} FAILED: {done}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "passed": self.passed,
            "verdict": self.verdict,
            "scale": self.scale,
            "seed": self.seed,
            "family_false_alarm": self.family_false_alarm,
            "experiments": self.experiments,
            "seconds": self.seconds,
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
        }

    def to_text(self) -> str:
        """A table with a row per claim, negative controls last, and the verdict."""
        ordered = sorted(self.outcomes, key=lambda outcome: outcome.must_fail)
        rows = [_HEAD, *(_row(outcome) for outcome in ordered)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), "", self.verdict])


_HEAD = ("", "claim", "target", "measured", "accepted", "experiments", "s")


def _row(outcome: Outcome) -> tuple[str, ...]:
    slack = f" ± {outcome.slack:g}" if outcome.slack else ""
    accepted = f"{outcome.lower:.4f} .. {outcome.upper:.4f}"
    return (
        "ok" if outcome.passed else "FAIL",
        f"{outcome.name} (must fail)" if outcome.must_fail else outcome.name,
        f"{outcome.kind.value} {outcome.target:.4g}{slack}",
        f"{outcome.measured:.4f}",
        f"not {accepted}" if outcome.must_fail else accepted,
        f"{outcome.trials:,}",
        f"{outcome.seconds:.2f}",
    )


__all__ = ["Outcome", "Report"]
