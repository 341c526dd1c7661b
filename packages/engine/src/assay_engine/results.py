"""What an evaluation answers."""

from enum import StrEnum

from assay_engine.records import Record
from assay_engine.values import FlagType, JsonValue


class Reason(StrEnum):
    """Why a flag has its value, in OpenFeature's words."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DISABLED = "DISABLED"
    ERROR = "ERROR"


class ErrorCode(StrEnum):
    """Why a flag has no value, in OpenFeature's words."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    GENERAL = "GENERAL"


class MetHoldout(Record, frozen=True):
    """A holdout before a rule that the unit came to, and whether it keeps the unit out."""

    id: str
    is_held: bool


class Evaluation(Record, frozen=True):
    """A flag's answer for one context; shared between callers and never changed.

    Attributes:
        value: The variant's value: for a float flag always a float, for a JSON flag read-only containers.
        variant: Name of the variant; None means that the application's own default applies.
        rule_id: The rule that decided; None for the fallthrough, a disabled flag and an error.
        experiment: The experiment whose split decided.
        is_exposure: Whether the unit was assigned by that experiment and so belongs to its analysis.
        assignment: Under which name a sticky assignment is to be remembered, as `experiment#version`.
        holdout: The holdout that kept this unit out of an experiment on the way.
        holdouts: All holdouts that the unit met on the way, for their own analysis; a unit that lacks the
            attribute which a holdout divides by is exposed to none.
    """

    flag_key: str
    type: FlagType | None
    value: JsonValue
    variant: str | None
    reason: Reason
    rule_id: str | None = None
    experiment: str | None = None
    is_exposure: bool = False
    assignment: str | None = None
    holdout: str | None = None
    holdouts: tuple[MetHoldout, ...] = ()
    error_code: ErrorCode | None = None
    error_message: str | None = None


def flag_not_found(flag_key: str) -> Evaluation:
    """The answer for a key the environment does not have."""
    return Evaluation(
        flag_key=flag_key,
        type=None,
        value=None,
        variant=None,
        reason=Reason.ERROR,
        error_code=ErrorCode.FLAG_NOT_FOUND,
        error_message=f"no flag {flag_key!r} in this environment",
    )
