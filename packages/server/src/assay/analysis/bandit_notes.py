"""What a document says of a bandit's batches, and whether units are split as each was weighed; pure."""

from collections.abc import Iterator

import numpy as np

from assay.analysis.collected import Collected, Cut
from assay.analysis.compare import number, undefined
from assay.analysis.document import Bandit, BatchUnits, SampleRatio
from assay.analysis.plan import Batching, Plan
from assay_stats.srm import SampleRatio as Ratio
from assay_stats.srm import sample_ratio_over_batches
from assay_stats.undefined import Bools, Floats

# Fabijan et al. (2019) and most platforms: late enough not to cry wolf, early enough to stop a reading.
SRM_ALARM = 0.01


def bandit_of(plan: Plan, collected: Collected) -> Bandit | None:
    """The batches with their units; None where weights stay."""
    if plan.batching is None:
        return None
    units, used = _units(plan, collected.whole), _used(plan, collected.whole)
    return Bandit(
        least_units=plan.batching.least_units,
        batches=[
            BatchUnits(
                epoch=batch.epoch,
                began_at=batch.began_at,
                weights=dict(zip((arm.key for arm in plan.arms), batch.weights, strict=True)),
                units={arm.key: int(units[place, at]) for at, arm in enumerate(plan.arms)},
                is_compared=bool(used[place]),
            )
            for place, batch in enumerate(plan.batching.batches)
        ],
        notes=list(_notes(plan.batching, units, used)),
    )


def batched_ratio(plan: Plan, batching: Batching, cut: Cut) -> SampleRatio:
    """Each batch against its own weights, together."""
    return ratio_as_document(sample_ratio_over_batches(_units(plan, cut), _weights(batching)))


def ratio_as_document(test: Ratio) -> SampleRatio:
    """A test of the split as documents have it."""
    p_value = number(test.p_value)
    return SampleRatio(
        statistic=number(test.statistic),
        degrees_of_freedom=number(test.degrees_of_freedom),
        p_value=p_value,
        suspicious=bool(test.misplaced > 0) or (p_value is not None and p_value < SRM_ALARM),
        undefined=undefined(test.reason),
    )


def expected_weights(plan: Plan, cut: Cut) -> list[float]:
    """The arms' weights; of a bandit the shares that its batches together let one expect."""
    planned = [arm.weight for arm in plan.arms]
    if plan.batching is None:
        return planned
    sizes = _units(plan, cut).sum(axis=-1)
    if not sizes.sum():
        return planned
    return [float(share) for share in sizes @ _weights(plan.batching) / sizes.sum()]


def _weights(batching: Batching) -> Floats:
    return np.array([batch.weights for batch in batching.batches])


def _units(plan: Plan, cut: Cut) -> Floats:
    """`(n_batches, n_arms)`."""
    nothing = np.zeros(0 if plan.batching is None else len(plan.batching.batches))
    return np.stack([cut.batch_units.get(arm.key, nothing) for arm in plan.arms], axis=-1)


def _used(plan: Plan, cut: Cut) -> Bools:
    """Batches that count in at least one comparison."""
    units, least = _units(plan, cut), 0 if plan.batching is None else plan.batching.least_units
    control = [arm.key for arm in plan.arms].index(plan.control)
    others = np.delete(units, control, axis=-1)
    return (units[:, control] >= least) & (others >= least).any(axis=-1)


def _notes(batching: Batching, units: Floats, used: Bools) -> Iterator[str]:
    yield (
        "The weights followed the data, which biases plain means. Arms are compared within each epoch, while "
        "the split was fixed, and the differences are joined (Zhang, Janson & Murphy 2020), for an effect "
        "that is the same in all of them. The means per arm are plain ones."
    )
    yield (
        "Covariates and strata are not used, and neither novelty nor interactions with other experiments are "
        "looked for: they take arms for groups that were split alike all the time."
    )
    if not used.all():
        lost = int(units[~used].sum())
        yield (
            f"{int((~used).sum())} of {len(used)} stretches between two moves of the weights have fewer than "
            f"{batching.least_units:,} units in an arm and are not compared; that leaves {lost:,} units out."
        )
