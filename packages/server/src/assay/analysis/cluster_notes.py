"""What a document says of how units were assigned, in sentences; pure."""

from collections.abc import Iterator, Mapping

from assay.analysis.collected import Collected
from assay.analysis.document import Clusters, Rerandomised
from assay.analysis.plan import Plan, Switching

# Below it intervals by t are honest but wide, and one odd cluster decides.
FEW_CLUSTERS = 10
MINUTES_PER_HOUR = 60


def clusters_of(plan: Plan, collected: Collected) -> Clusters | None:
    """How clusters were assigned; None where units were, one by one."""
    if plan.clustering is None or collected.error_unit is None:
        return None
    switching = plan.clustering.switching
    counts = {arm.key: collected.whole.cluster_counts.get(arm.key, 0) for arm in plan.arms}
    return Clusters(
        assigned=plan.clustering.kind,
        window_minutes=None if switching is None else switching.minutes,
        error_unit=collected.error_unit,
        counts=counts,
        notes=[
            *_unit_notes(plan.clustering.kind, switching, collected.error_unit),
            *_few(collected.error_unit, counts),
        ],
    )


def rerandomised_of(plan: Plan) -> Rerandomised | None:
    """How the salt was searched for; None where it was left to chance."""
    found = plan.balanced
    if found is None:
        return None
    return Rerandomised(
        tried=found.tried,
        score=found.score,
        threshold=found.threshold,
        covariates=list(found.covariates),
        sentence=f"The salt is the first of {found.tried:,} that balances {', '.join(found.covariates)} "
        f"between the arms (distance {found.score:.3g}, at most {found.threshold:.3g} by a rule fixed "
        "beforehand). "
        "Intervals that are not adjusted for them are conservative (Morgan & Rubin 2012).",
    )


def _unit_notes(kind: str, switching: Switching | None, error_unit: str) -> Iterator[str]:
    if switching is None:
        yield (
            f"Whole units of {kind} were assigned, and errors are robust to them (CR2 with Satterthwaite's "
            f"degrees of freedom); covariates are not used."
        )
        return
    yield (
        f"Every {kind} was assigned anew every {_length(switching.minutes)}; what is analysed is "
        f"one of them in one window, and errors are robust to the {error_unit} (CR2). Covariates are not "
        "used."
    )
    if switching.burn_in_minutes == 0:
        yield (
            "No burn-in is planned: where a window still feels the one before, effects are diluted towards 0."
        )
    else:
        yield (
            f"The first {_length(switching.burn_in_minutes)} of each window are left out; an effect that "
            "lasts longer than that is carried over into the next window and diluted."
        )


def _few(error_unit: str, counts: Mapping[str, int]) -> Iterator[str]:
    fewest = min(counts.values(), default=0)
    if fewest < FEW_CLUSTERS:
        yield (f"An arm has only {fewest} of them ({error_unit}), so intervals are wide and rest on few.")


def _length(minutes: int) -> str:
    if minutes % MINUTES_PER_HOUR:
        return f"{minutes} minutes"
    hours = minutes // MINUTES_PER_HOUR
    return "hour" if hours == 1 else f"{hours} hours"
