"""Feature flags, rules and bucketing: a pure evaluator without I/O."""

from assay_engine.context import Context
from assay_engine.datafile import dumps, loads
from assay_engine.evaluate import compile_ruleset, evaluate, evaluate_all, evaluate_many
from assay_engine.explain import Explanation, explain
from assay_engine.fields import DatafileError
from assay_engine.holdouts import HoldoutArm, HoldoutExposure, holdout_experiment, holdout_exposures
from assay_engine.model import Flag, Rule, Ruleset, Segment
from assay_engine.results import ErrorCode, Evaluation, Reason
from assay_engine.rules.check import InvalidRuleset, Problem, check
from assay_engine.rules.compile import CompiledRuleset, next_transition
from assay_engine.values import FlagType

__all__ = [
    "CompiledRuleset",
    "Context",
    "DatafileError",
    "ErrorCode",
    "Evaluation",
    "Explanation",
    "Flag",
    "FlagType",
    "HoldoutArm",
    "HoldoutExposure",
    "InvalidRuleset",
    "Problem",
    "Reason",
    "Rule",
    "Ruleset",
    "Segment",
    "check",
    "compile_ruleset",
    "dumps",
    "evaluate",
    "evaluate_all",
    "evaluate_many",
    "explain",
    "holdout_experiment",
    "holdout_exposures",
    "loads",
    "next_transition",
]
