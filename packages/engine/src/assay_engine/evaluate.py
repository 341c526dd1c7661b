"""Evaluation: who asks, at what moment, gets which variant. Total: no context makes it raise."""

from collections.abc import Iterable
from datetime import datetime

from assay_engine.context import Context
from assay_engine.datafile import dumps, loads
from assay_engine.model import Ruleset
from assay_engine.records import without_collecting
from assay_engine.results import Evaluation, flag_not_found
from assay_engine.rules.check import InvalidRuleset, check_meaning
from assay_engine.rules.compile import CompiledRuleset, link


def compile_ruleset(source: Ruleset | bytes | str) -> CompiledRuleset:
    """Check and compile a ruleset or its datafile.

    Raises:
        DatafileError: The datafile is not of the format.
        InvalidRuleset: The check finds an error; it carries all of them.
    """
    with without_collecting():
        ruleset = loads(dumps(source) if isinstance(source, Ruleset) else source)
        problems = check_meaning(ruleset)
        if problems:
            raise InvalidRuleset(problems)
        return link(ruleset)


def evaluate(ruleset: CompiledRuleset, flag_key: str, context: Context, *, now: datetime) -> Evaluation:
    """The flag's answer for one context.

    Args:
        now: The moment schedules are read at; aware.
    """
    walk = ruleset.walks.get(flag_key)
    return flag_not_found(flag_key) if walk is None else walk(context.values, now)


def evaluate_all(ruleset: CompiledRuleset, context: Context, *, now: datetime) -> list[Evaluation]:
    """Every flag's answer for one context, in the ruleset's order."""
    values = context.values
    return [walk(values, now) for walk in ruleset.walks.values()]


def evaluate_many(
    ruleset: CompiledRuleset, flag_key: str, contexts: Iterable[Context], *, now: datetime
) -> list[Evaluation]:
    """One flag's answer for many contexts, in their order."""
    walk = ruleset.walks.get(flag_key)
    if walk is None:
        return [flag_not_found(flag_key) for _ in contexts]
    return [walk(context.values, now) for context in contexts]
