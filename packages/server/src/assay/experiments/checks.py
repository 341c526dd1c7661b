"""Readiness, decided from facts: each check says how it stands, in a sentence, with the way out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from msgspec import structs

from assay.assignments.keeping import path_name
from assay.experiments import layers, splitting
from assay.experiments.allocating import KINDS
from assay.experiments.design import Arm
from assay.experiments.overlaps import Overlap
from assay.experiments.plan import GroupSequential, Plan, Switchback
from assay.experiments.splitting import Assigned
from assay.experiments.switching import window_count
from assay_engine import Flag, Ruleset
from assay_engine.rules.check import check, check_meaning, errors

FEWEST_WINDOWS = 20


class Level(StrEnum):
    """How a check stands."""

    OK = "ok"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at before the start."""

    check: str
    level: Level
    sentence: str
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks look at.

    Attributes:
        served: All that the environment serves.
        kinds: Of the plan's metrics, by key.
        overlapping: Running experiments that meet the same units.
    """

    experiment: str
    environment: str
    arms: Sequence[Arm]
    plan: Plan
    served: Ruleset
    overlapping: Sequence[Overlap]
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def flag(self) -> Flag | None:
        """The flag as the environment serves it."""
        return next((flag for flag in self.served.flags if flag.key == self.plan.flag), None)


def structural(facts: Facts) -> list[Check]:
    """The checks that need no data."""
    parts: tuple[Callable[[Facts], Check], ...] = (
        _arms, _goals, _guardrails, _duration, _flag, _rule, _layer, _holdouts, _overlaps,
    )  # fmt: skip
    return [*(part(facts) for part in parts), *assignment(facts.plan), *_balance(facts), *_bandit(facts)]


def blocking(checks: Sequence[Check]) -> list[Check]:
    """The checks that keep an experiment from starting."""
    return [each for each in checks if each.level is Level.BLOCKING]


def assignment(plan: Plan) -> Iterator[Check]:
    """What there is to say of another way than unit by unit."""
    if plan.sticky:
        yield Check("assignment", Level.OK, "Units keep the arm of their first exposure for the whole phase.")
    if plan.analysis_unit is not None:
        yield Check(
            "assignment",
            Level.OK,
            f"Whole units of {path_name(plan.unit_path)} are assigned; exposures name "
            f"{path_name(plan.exposed_path or ())} with {path_name(plan.unit_path)} beside, and errors are "
            "robust to it.",
        )
    if plan.switchback is not None:
        yield _switchback(plan, plan.switchback)


def _balance(facts: Facts) -> Iterator[Check]:
    salt = facts.plan.balanced_salt
    if salt is None:
        return
    arms = {arm.key: arm.weight for arm in facts.arms if arm.weight > 0}
    if arms != salt.arms:
        yield _blocked(
            "balance",
            "The salt was searched for other arms or weights than the experiment has now.",
            "Search again, or take `balanced_salt` out of the plan.",
        )
        return
    yield Check(
        "balance",
        Level.OK,
        f"Of {salt.tried} salts the first acceptable one balances {', '.join(salt.covariates)} of "
        f"{salt.units:,} units.",
    )


def _bandit(facts: Facts) -> Iterator[Check]:
    bandit, arms = facts.plan.bandit, facts.arms
    if bandit is None or not facts.plan.goals:
        return
    if closed := [arm.key for arm in arms if arm.weight <= 0]:
        yield _blocked(
            "bandit",
            f"Arm {closed[0]!r} has no weight, and a bandit measures every arm.",
            "Give it a weight.",
        )
        return
    if bandit.floor * len(arms) > 1:
        yield _blocked(
            "bandit",
            f"A floor of {bandit.floor:g} for each of {len(arms)} arms is more than there is.",
            f"Take one of at most {1 / len(arms):.3g}.",
        )
        return
    goal = facts.plan.goals[0].metric
    if (kind := facts.kinds.get(goal, "")) not in KINDS:
        yield _blocked(
            "bandit",
            f"The first goal {goal!r} is a {kind}, which has no posterior here for weights to follow.",
            f"Put a metric of kind {', '.join(KINDS)} first.",
        )
        return
    yield Check(
        "bandit",
        Level.OK,
        f"Weights follow {goal} every {bandit.every_hours} hours, once each arm has {bandit.least_units:,} "
        f"more units; none falls below {bandit.floor:.3g}.",
    )


def _switchback(plan: Plan, switchback: Switchback) -> Check:
    unit, count = path_name(plan.unit_path), window_count(plan)
    if count is None:
        return Check(
            "assignment",
            Level.WARNING,
            f"Every {unit} is assigned anew each {switchback.window_minutes} minutes; without a duration "
            "nobody knows how many windows there will be.",
            "Set `duration_days`.",
        )
    sentence = f"Every {unit} is assigned anew in {count} windows of {switchback.window_minutes} minutes."
    if count < FEWEST_WINDOWS:
        return Check(
            "assignment",
            Level.WARNING,
            f"{sentence} So few leave much to chance.",
            "Take shorter windows or more days.",
        )
    if switchback.burn_in_minutes == 0:
        return Check(
            "assignment",
            Level.WARNING,
            f"{sentence} No burn-in is planned: what a window does to the next one dilutes effects.",
            "Set `burn_in_minutes` to how long the treatment lasts.",
        )
    return Check("assignment", Level.OK, sentence)


def _arms(facts: Facts) -> Check:
    present = [arm.key for arm in facts.arms if arm.weight > 0]
    if len(present) < 2:  # noqa: PLR2004 — a comparison has two sides
        return Check(
            "arms",
            Level.BLOCKING,
            "Fewer than two arms have a weight above 0, so nothing would be compared.",
            "Give at least two arms a weight.",
        )
    return Check("arms", Level.OK, f"{len(present)} arms get units: {', '.join(present)}.")


def _goals(facts: Facts) -> Check:
    if not facts.plan.goals:
        return Check(
            "goals",
            Level.BLOCKING,
            "The plan has no goal, so the experiment could not be decided.",
            "Name the metric that the change shall move under `goals`.",
        )
    aimless = [goal.metric for goal in facts.plan.goals if goal.smallest_effect is None]
    if aimless:
        return Check(
            "goals",
            Level.WARNING,
            f"No smallest effect worth finding is given for {', '.join(aimless)}: its duration is a guess.",
            "Say with `smallest_effect` which change would still be worth shipping.",
        )
    return Check(
        "goals", Level.OK, f"It is decided by {', '.join(goal.metric for goal in facts.plan.goals)}."
    )


def _guardrails(facts: Facts) -> Check:
    if not facts.plan.guardrails:
        return Check(
            "guardrails",
            Level.WARNING,
            "The plan has no guardrail: harm outside the goals would go unseen.",
            "Name a metric that must not get worse, with its margin, under `guardrails`.",
        )
    names = ", ".join(each.metric for each in facts.plan.guardrails)
    return Check("guardrails", Level.OK, f"Guarded: {names}.")


def _duration(facts: Facts) -> Check:
    if facts.plan.duration_days is not None:
        return Check("duration", Level.OK, f"It is planned for {facts.plan.duration_days} days.")
    looks = isinstance(facts.plan.method, GroupSequential)
    return Check(
        "duration",
        Level.BLOCKING if looks else Level.WARNING,
        "The plan has no duration" + (", and looks are planned towards an end." if looks else "."),
        "Set `duration_days`; the power calculation says how many are needed.",
    )


def _flag(facts: Facts) -> Check:
    wanted, flag, environment = facts.plan.flag, facts.flag, facts.environment
    if wanted is None:
        return _blocked("flag", "The plan names no flag.", "Say with `flag` whose variants are the arms.")
    if flag is None:
        return _blocked(
            "flag",
            f"{environment!r} does not serve flag {wanted!r}.",
            "Make the flag, publish it in this environment, and unarchive it if it is archived.",
        )
    variants = {variant.name for variant in flag.variants}
    if missing := [arm.key for arm in facts.arms if arm.key not in variants]:
        return _blocked(
            "flag",
            f"Flag {wanted!r} serves no variant {missing[0]!r} in {environment!r}; "
            f"it has {', '.join(sorted(variants))}.",
            "Name the arms after variants, or add the variant to the flag and publish it.",
        )
    if not flag.enabled:
        return _blocked("flag", f"Flag {wanted!r} is off in {environment!r}.", "Switch it on.")
    return Check("flag", Level.OK, f"{environment!r} serves flag {wanted!r}, and it is on.")


def _rule(facts: Facts) -> Check:
    flag = facts.flag
    if flag is None:
        return _blocked(
            "rule", "Without a flag there is nowhere to put the rule.", "See the check of the flag."
        )
    ids = [rule.id for rule in flag.rules]
    if facts.plan.above is not None and facts.plan.above not in ids:
        return _blocked(
            "rule",
            f"Flag {flag.key!r} has no rule {facts.plan.above!r}; it has {', '.join(ids) or 'none'}.",
            "Name one of its rules under `above`, or leave it out.",
        )
    rule = splitting.running(replace(assigned(facts), layer=None))
    changed = splitting.with_rule(flag, rule, above=facts.plan.above)
    if problem := next(_problems(facts, flag, changed, rule.id), None):
        return _blocked(
            "rule",
            f"The experiment's rule would not do: {problem}.",
            "Put it above the rule that takes its units with `above`, or mend what it refers to.",
        )
    whom = "everyone" if facts.plan.targeting is None else "the targeted units"
    return Check("rule", Level.OK, f"The rule is reached by {whom} whom no rule above it serves.")


def _problems(facts: Facts, flag: Flag, changed: Flag, rule: str) -> Iterator[str]:
    where = f"flag {flag.key!r}, rule {rule!r}"
    flags = tuple(changed if each is flag else each for each in facts.served.flags)
    for problem in errors(check_meaning(structs.replace(facts.served, flags=flags))):
        if problem.where == where:
            yield problem.message
    alone = structs.replace(facts.served, flags=(changed,))
    yield from (each.message for each in check(alone) if each.where == where and each not in errors([each]))


def _layer(facts: Facts) -> Check:
    name, plan = facts.plan.layer, facts.plan
    if name is None:
        return Check("layer", Level.OK, "It is in no layer: its units may take part in others too.")
    layer = next((each for each in facts.served.layers if each.id == name), None)
    if layer is None:
        return _blocked("layer", f"{facts.environment!r} has no layer {name!r}.", "Make the layer first.")
    if layer.bucketing.unit != plan.unit_path:
        return _blocked(
            "layer",
            f"Layer {name!r} divides {'.'.join(layer.bucketing.unit)}, the experiment "
            f"{'.'.join(plan.unit_path)}.",
            "Take a layer of the same unit.",
        )
    free = layers.room(layer).free_share + layers.share_of(layer, facts.experiment)
    if free < plan.coverage - 1 / layer.bucketing.total:
        return _blocked(
            "layer",
            f"Layer {name!r} has {free:.2%} left, and the plan covers {plan.coverage:.2%}.",
            "Lower the coverage, complete another experiment of the layer, or take another layer.",
        )
    return Check("layer", Level.OK, f"Layer {name!r} has {free:.2%} left.")


def _holdouts(facts: Facts) -> Check:
    known = {each.id for each in facts.served.holdouts}
    if missing := [key for key in facts.plan.holdouts if key not in known]:
        return _blocked(
            "holdouts", f"{facts.environment!r} has no holdout {missing[0]!r}.", "Make the holdout first."
        )
    every = [each.id for each in facts.served.holdouts if each.experiments is None]
    names = sorted({*facts.plan.holdouts, *every})
    kept = f"Kept out: units of {', '.join(names)}." if names else "No holdout keeps units out."
    return Check("holdouts", Level.OK, kept)


def _overlaps(facts: Facts) -> Check:
    meeting = [each for each in facts.overlapping if not each.excluded]
    if clashing := [each.experiment for each in meeting if each.same_flag]:
        return Check(
            "overlaps",
            Level.WARNING,
            f"On the same flag runs {', '.join(clashing)}: the upper rule takes the units they share.",
            "Put both into one layer, or wait until it is completed.",
        )
    if sharing := [each.experiment for each in meeting if each.metrics]:
        return Check(
            "overlaps",
            Level.WARNING,
            f"Reads the same metrics of the same units as {', '.join(sharing)}; effects may interact.",
            "Put both into one layer if they touch the same thing.",
        )
    return Check(
        "overlaps", Level.OK, f"{len(meeting)} other experiments meet its units; none on its metrics."
    )


def assigned(facts: Facts) -> Assigned:
    """What a first phase would settle; its salt is chosen at the start."""
    return Assigned(
        experiment=facts.experiment,
        name="",
        salt="",
        unit=facts.plan.unit_path,
        exposes=facts.plan.exposed_path,
        arms=[(arm.key, arm.weight) for arm in facts.arms],
        filled=facts.plan.first_coverage,
        condition=facts.plan.condition,
        layer=facts.plan.layer,
        has_gate=facts.plan.bandit is not None,
    )


def _blocked(check_: str, sentence: str, way_out: str) -> Check:
    return Check(check_, Level.BLOCKING, sentence, way_out)
