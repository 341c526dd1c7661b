"""An experiment's rule in a flag: who takes part, which arm each gets, and what remains of it afterwards.

Every arm has a home on the bucket line, as wide as its weight; coverage fills the homes from the left,
so raising it moves nobody. Where weights change within a phase, homes do not stay; there coverage is a gate
of its own before the split, so that who may take part does not hang on the arm they would get.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from msgspec.structs import replace

from assay_engine import Flag, Rule
from assay_engine.model import (
    AllOf,
    AttributePath,
    Bucketing,
    Condition,
    Held,
    Holdout,
    InBucket,
    Layer,
    Range,
    ServeVariant,
    Split,
    SplitRange,
    Sticky,
    Windows,
)
from assay_engine.rules.splits import slices_of

# Finer than basis points: three arms at 1 % coverage would otherwise be 33, 33 and 34 of 100.
TOTAL = 1_000_000


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a phase settles about its units.

    Attributes:
        arms: Variant and weight of each arm.
        filled: Share of each arm's home that is in use, in (0, 1].
        layer: Its slices say who may take part at all.
        sticky: Under which version first exposures are kept; None where they are not.
        exposes: Who is exposed, where that is not the unit.
        windows: Of a switchback.
        has_gate: Whether coverage is a gate before the split, as weights change within the phase.
    """

    experiment: str
    name: str
    salt: str
    unit: AttributePath
    arms: Sequence[tuple[str, float]]
    filled: float
    condition: Condition | None = None
    layer: str | None = None
    sticky: Sticky | None = None
    exposes: AttributePath | None = None
    windows: Windows | None = None
    has_gate: bool = False


def rule_id(experiment: str) -> str:
    """The id of an experiment's rule, by which it is found again."""
    return f"experiment:{experiment}"


def running(assigned: Assigned) -> Rule:
    """The rule that assigns units and counts as their exposure."""
    return Rule(rule_id(assigned.experiment), _split(assigned), assigned.name, _all_of(_asked(assigned)))


def resting(assigned: Assigned, layer: Layer | None, holdouts: Sequence[Holdout]) -> Rule:
    """The rule that gives the same units the same arms as `running`, but as nobody's exposure.

    Layers apply to experiments only, so here the condition says the same.

    Args:
        layer: The one that the experiment is in.
        holdouts: Those of the environment that keep units out of it.
    """
    rule = running(assigned)
    gates = list(_in_slices(assigned.experiment, layer))
    condition = _all_of([*_asked(assigned), *gates])
    split = replace(_split(assigned), experiment=None, layer=None)
    if assigned.sticky is not None:
        split = replace(split, sticky=replace(assigned.sticky, experiment=assigned.experiment))
    return replace(rule, serve=split, condition=condition, held=_held(assigned, holdouts))


def shipped(assigned: Assigned, variant: str, *, everyone: bool, holdouts: Sequence[Holdout] = ()) -> Rule:
    """The rule that serves one arm to all targeted units, or to everyone who comes as far as the rule.

    Args:
        holdouts: Those that kept units out of the experiment, and keep them out of what is shipped until
            they are released: what has come of everything together could not be told otherwise.
    """
    condition = None if everyone else assigned.condition
    held = _held(assigned, holdouts)
    return Rule(rule_id(assigned.experiment), ServeVariant(variant), assigned.name, condition, held=held)


def holds(flag: Flag, experiment: str) -> bool:
    """Whether the experiment's rule stands in the flag."""
    return any(rule.id == rule_id(experiment) for rule in flag.rules)


def with_rule(flag: Flag, rule: Rule, *, above: str | None) -> Flag:
    """The flag with the rule in its old place; a new one stands above the rule named, or below all."""
    ids = [each.id for each in flag.rules]
    if rule.id in ids:
        return replace(flag, rules=tuple(rule if each.id == rule.id else each for each in flag.rules))
    at = ids.index(above) if above in ids else len(ids)
    return replace(flag, rules=(*flag.rules[:at], rule, *flag.rules[at:]))


def without_rule(flag: Flag, experiment: str) -> Flag:
    """The flag without the experiment's rule."""
    return replace(flag, rules=tuple(each for each in flag.rules if each.id != rule_id(experiment)))


def variants_at(assigned: Assigned) -> tuple[list[int], list[str]]:
    """The upper ends of the ranges a phase would have and what each serves; empty where it serves nothing."""
    ranges = list(_ranges(assigned))
    return [int(each.high) for each in ranges], [each.variant or "" for each in ranges]


def holding_out(holdouts: Sequence[Holdout], experiment: str) -> list[Holdout]:
    """The holdouts that keep units out of an experiment."""
    return [each for each in holdouts if each.concerns(experiment)]


def _asked(assigned: Assigned) -> Iterator[Condition]:
    """What a unit must fulfil to be assigned."""
    if assigned.condition is not None:
        yield assigned.condition
    if assigned.has_gate and assigned.filled < 1:
        # Of a salt of its own, so that it says nothing about the arm.
        bucketing = Bucketing(salt=f"{assigned.salt}:coverage", unit=assigned.unit, total=TOTAL)
        yield InBucket(bucketing, (Range(0, int(assigned.filled * TOTAL)),))


def _all_of(conditions: Iterable[Condition]) -> Condition | None:
    parts = tuple(conditions)
    return parts[0] if len(parts) == 1 else AllOf(parts) if parts else None


def _ranges(assigned: Assigned) -> Iterator[SplitRange]:
    filled = 1.0 if assigned.has_gate else assigned.filled
    present = [(variant, weight) for variant, weight in assigned.arms if weight > 0]
    whole = sum(weight for _, weight in present)
    ends = [round(reached / whole * TOTAL) for reached in accumulate(weight for _, weight in present)]
    for (variant, _), (start, end) in zip(present, pairwise([0, *ends[:-1], TOTAL]), strict=True):
        used = start + int((end - start) * filled)
        yield SplitRange(start, used, variant)
        if used < end:
            yield SplitRange(used, end, None)


def _split(assigned: Assigned) -> Split:
    return Split(
        bucketing=Bucketing(salt=assigned.salt, unit=assigned.unit, total=TOTAL),
        ranges=tuple(_ranges(assigned)),
        experiment=assigned.experiment,
        layer=assigned.layer,
        sticky=assigned.sticky,
        exposes=assigned.exposes,
        windows=assigned.windows,
    )


def _in_slices(experiment: str, layer: Layer | None) -> Iterator[Condition]:
    if layer is not None:
        ranges = tuple(Range(each.low, each.high) for each in slices_of(experiment, layer))
        yield InBucket(layer.bucketing, ranges)


def _held(assigned: Assigned, holdouts: Sequence[Holdout]) -> Held | None:
    return Held(assigned.experiment, tuple(each.id for each in holdouts)) if holdouts else None
