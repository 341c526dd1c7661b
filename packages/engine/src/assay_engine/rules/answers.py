"""The answers a flag can give, made the same way for the compiled walk and for its explanation."""

from msgspec.structs import replace

from assay_engine.context import TARGETING_KEY
from assay_engine.model import Flag, MissingUnit, Rule, Split
from assay_engine.results import ErrorCode, Evaluation, MetHoldout, Reason
from assay_engine.values import JsonValue

# Read once: an enumeration looks its members up anew each time.
_FIRST, _STANDARD = MissingUnit.FIRST, MissingUnit.STANDARD


class UnknownReference(ValueError):
    """A ruleset names a flag, variant, segment or layer it lacks, or one that leads back to itself."""


def assignment_key(experiment: str, version: int) -> str:
    """Under which name a sticky assignment is remembered."""
    return f"{experiment}#{version}"


def assigned_in(split: Split) -> str | None:
    """Under the name of which experiment a split keeps its assignments; None where it keeps none."""
    if split.sticky is None:
        return None
    return split.sticky.experiment or split.experiment


def _remembered_as(split: Split) -> str | None:
    """Under which name the unit's variant is to be remembered; None for nobody's exposure."""
    holder = assigned_in(split)
    if split.sticky is None or split.experiment is None or holder is None:
        return None
    return assignment_key(holder, split.sticky.version)


def served(
    flag: Flag,
    variant: str | None,
    reason: Reason,
    *,
    rule: Rule | None = None,
    split: Split | None = None,
    holdouts: tuple[MetHoldout, ...] = (),
) -> Evaluation:
    """A variant of the flag; without one, the application's own default.

    Args:
        holdouts: Those that stand before the rule and were met.

    Raises:
        UnknownReference: The flag has no such variant.
    """
    experiment = None if split is None else split.experiment
    return Evaluation(
        flag_key=flag.key,
        type=flag.type,
        value=None if variant is None else _value(flag, variant),
        variant=variant,
        reason=reason,
        rule_id=rule.id if rule else None,
        experiment=experiment,
        is_exposure=experiment is not None,
        assignment=None if split is None else _remembered_as(split),
        holdouts=holdouts,
    )


def having_met(answer: Evaluation, holdouts: tuple[MetHoldout, ...]) -> Evaluation:
    """The answer of a unit that met these holdouts before it came to the rule that answers."""
    held = next((each.id for each in holdouts if each.is_held), None)
    return replace(answer, holdout=held, holdouts=joined(holdouts, answer.holdouts))


def joined(first: tuple[MetHoldout, ...], then: tuple[MetHoldout, ...]) -> tuple[MetHoldout, ...]:
    """Holdouts met one after the other, each once."""
    known = {each.id for each in first}
    return (*first, *(each for each in then if each.id not in known))


def _value(flag: Flag, name: str) -> JsonValue:
    for variant in flag.variants:
        if variant.name == name:
            return variant.value
    raise UnknownReference(f"flag {flag.key!r} has no variant {name!r}")


def unserved_logic(flag: Flag) -> Evaluation:
    """The answer when a JsonLogic result names no variant."""
    return _failed(flag, ErrorCode.GENERAL, f"the JsonLogic of flag {flag.key!r} names none of its variants")


def without_unit(flag: Flag, split: Split, rule: Rule | None) -> Evaluation | None:
    """The split's answer to a context that lacks its unit; None lets the walk go on."""
    if split.missing_unit is _FIRST:
        first = next((each.variant for each in split.ranges if each.variant is not None), None)
        return served(flag, first, Reason.SPLIT, rule=rule)
    if split.missing_unit is _STANDARD and split.bucketing.unit == (TARGETING_KEY,):
        message = f"a split of flag {flag.key!r} needs a targeting key"
        return _failed(flag, ErrorCode.TARGETING_KEY_MISSING, message)
    return None


def _failed(flag: Flag, code: ErrorCode, message: str) -> Evaluation:
    return Evaluation(
        flag_key=flag.key,
        type=flag.type,
        value=None,
        variant=None,
        reason=Reason.ERROR,
        error_code=code,
        error_message=message,
    )
