"""Exposures to holdouts, made the same way in every process that evaluates.

A holdout is analysed as an experiment of two arms. Its name holds a colon, which no experiment's key can.
"""

from enum import StrEnum

from assay_engine.bucketing import unit_text
from assay_engine.context import Context
from assay_engine.model import Holdout, Ruleset
from assay_engine.records import Record
from assay_engine.results import Evaluation, MetHoldout
from assay_engine.rules.operators import read

PREFIX = "holdout:"


class HoldoutArm(StrEnum):
    """A unit's side of a holdout."""

    HELD_OUT = "held_out"
    OPEN = "open"


class HoldoutExposure(Record, frozen=True):
    """A unit met a holdout: what to send as an exposure of `experiment` in the arm `variant`."""

    experiment: str
    variant: HoldoutArm
    unit: str
    holdout: Holdout


def holdout_experiment(environment: str, holdout: str) -> str:
    """Under which name the exposures to a holdout are analysed."""
    return f"{PREFIX}{environment}:{holdout}"


def holdout_exposures(ruleset: Ruleset, answer: Evaluation, context: Context) -> list[HoldoutExposure]:
    """The exposures that an answer stands for; none to a holdout whose unit the context lacks."""
    found: list[HoldoutExposure] = []
    for met in answer.holdouts:
        holdout = next(each for each in ruleset.holdouts if each.id == met.id)
        unit = unit_text(read(holdout.bucketing.unit, context.values))
        if unit is not None:
            name = holdout_experiment(ruleset.environment, holdout.id)
            found.append(HoldoutExposure(name, arm_of(met), unit, holdout))
    return found


def arm_of(met: MetHoldout) -> HoldoutArm:
    """The side of a unit that met a holdout."""
    return HoldoutArm.HELD_OUT if met.is_held else HoldoutArm.OPEN
