"""How an experiment stands in what an environment serves: its rule in the flag, its slices, its holdouts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from assay.core.database import WriteSession
from assay.experiments import layers, splitting
from assay.experiments.errors import LayerMissing, RuleMissing
from assay.experiments.plan import Plan
from assay.experiments.splitting import Assigned
from assay.flags.errors import FlagNotFound
from assay.flags.rewriting import By, Rewrite, rewrite
from assay_engine import Flag, Rule, Ruleset
from assay_engine.model import Holdout, Layer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a phase assigns, by what plan, and how much of it is covered."""

    project: str
    environment: str
    flag: str
    plan: Plan
    assigned: Assigned
    coverage: float

    @property
    def experiment(self) -> str:
        """The experiment's key."""
        return self.assigned.experiment


async def begin(tx: WriteSession, place: Place, *, reserve: float, action: str, by: By) -> None:
    """Puts the rule into the flag, with room for a coverage that is still to come.

    Raises:
        LayerFull, LayerMissing: The layer has not enough room, or there is no such layer or holdout.
        NotPublished, Unpublishable: The flag cannot take it.
    """

    def decide(ruleset: Ruleset) -> Rewrite:
        layer = _reserved(ruleset, place, reserve)
        rule = splitting.running(_assigned(place, layer))
        return Rewrite(
            flag=lambda flag: splitting.with_rule(flag, rule, above=place.plan.above),
            layers=[] if layer is None else [layer],
            holdouts=[_joined(each, place.experiment) for each in _named(ruleset, place)],
        )

    await _rewrite(tx, place, decide, action=action, by=by)


async def cover(tx: WriteSession, place: Place, *, by: By) -> None:
    """Lets more units in; those who are in keep their arm.

    Raises:
        LayerFull: The layer has not enough room.
        RuleMissing: The flag has no rule of the experiment.
    """

    def decide(ruleset: Ruleset) -> Rewrite:
        layer = _layer(ruleset, place)
        if layer is not None:
            has = layers.share_of(layer, place.experiment)
            layer = layers.reserved(layer, place.experiment, max(has, place.coverage))
        return _replacing(ruleset, place, splitting.running(_assigned(place, layer)), layer)

    await _rewrite(tx, place, decide, action="experiment_covered", by=by)


async def reweigh(tx: WriteSession, place: Place, *, by: By) -> None:
    """Gives new units other shares of the arms; who was exposed keeps theirs.

    Raises:
        RuleMissing: The flag has no rule of the experiment.
    """

    def decide(ruleset: Ruleset) -> Rewrite:
        rule = splitting.running(_assigned(place, _layer(ruleset, place)))
        return _replacing(ruleset, place, rule, None)

    await _rewrite(tx, place, decide, action="experiment_reweighed", by=by)


async def rest(tx: WriteSession, place: Place, *, action: str, by: By) -> None:
    """Ends exposures, while every unit keeps its variant and the layer its slices."""

    def decide(ruleset: Ruleset) -> Rewrite:
        layer = _layer(ruleset, place)
        holdouts = splitting.holding_out(ruleset.holdouts, place.experiment)
        return _replacing(ruleset, place, splitting.resting(_assigned(place, layer), layer, holdouts), None)

    await _rewrite(tx, place, decide, action=action, by=by)


async def resume(tx: WriteSession, place: Place, *, by: By) -> None:
    """Lets exposures go on as before."""

    def decide(ruleset: Ruleset) -> Rewrite:
        rule = splitting.running(_assigned(place, _layer(ruleset, place)))
        return _replacing(ruleset, place, rule, None)

    await _rewrite(tx, place, decide, action="experiment_resumed", by=by)


async def ship(tx: WriteSession, place: Place, arm: str, *, everyone: bool, by: By) -> None:
    """Serves one arm in place of the split, behind the same holdouts, and frees the layer."""

    def decide(ruleset: Ruleset) -> Rewrite:
        holdouts = splitting.holding_out(ruleset.holdouts, place.experiment)
        rule = splitting.shipped(place.assigned, arm, everyone=everyone, holdouts=holdouts)
        return _replacing(ruleset, place, rule, _released(ruleset, place))

    await _rewrite(tx, place, decide, action="experiment_shipped", by=by)


async def withdraw(tx: WriteSession, place: Place, *, by: By) -> None:
    """Takes the rule out of the flag, and frees the layer."""

    def decide(ruleset: Ruleset) -> Rewrite:
        layer = _released(ruleset, place)
        return Rewrite(
            flag=lambda flag: splitting.without_rule(flag, place.experiment),
            layers=[] if layer is None else [layer],
        )

    await _rewrite(tx, place, decide, action="experiment_rolled_back", by=by)


async def _rewrite(
    tx: WriteSession, place: Place, decide: Callable[[Ruleset], Rewrite], *, action: str, by: By
) -> None:
    try:
        await rewrite(tx, place.project, place.flag, place.environment, decide, action=action, by=by)
    except FlagNotFound as error:
        raise RuleMissing(f"there is no flag {place.flag!r} any more", value=place.flag) from error


def _replacing(ruleset: Ruleset, place: Place, rule: Rule, layer: Layer | None) -> Rewrite:
    served = next((flag for flag in ruleset.flags if flag.key == place.flag), None)
    if served is None or not splitting.holds(served, place.experiment):
        raise RuleMissing(
            f"somebody has taken the rule of experiment {place.experiment!r} out of flag {place.flag!r}; "
            "restart it as a new phase, or complete it as rolled back",
            value=place.flag,
        )
    return Rewrite(
        flag=lambda flag: _replaced(flag, place.experiment, rule), layers=[] if layer is None else [layer]
    )


def _replaced(flag: Flag, experiment: str, rule: Rule) -> Flag:
    # A draft may have taken the rule out on purpose.
    return splitting.with_rule(flag, rule, above=None) if splitting.holds(flag, experiment) else flag


def _assigned(place: Place, layer: Layer | None) -> Assigned:
    share = 1.0 if layer is None else layers.share_of(layer, place.experiment)
    return replace(place.assigned, filled=min(1.0, place.coverage / share))


def _layer(ruleset: Ruleset, place: Place) -> Layer | None:
    if place.plan.layer is None:
        return None
    found = next((each for each in ruleset.layers if each.id == place.plan.layer), None)
    if found is None:
        raise LayerMissing(
            f"{place.environment!r} has no layer {place.plan.layer!r}; make it first", value=place.plan.layer
        )
    return found


def _reserved(ruleset: Ruleset, place: Place, share: float) -> Layer | None:
    layer = _layer(ruleset, place)
    return None if layer is None else layers.reserved(layer, place.experiment, share)


def _released(ruleset: Ruleset, place: Place) -> Layer | None:
    found = next((each for each in ruleset.layers if each.id == place.plan.layer), None)
    return None if found is None else layers.released(found, place.experiment)


def _named(ruleset: Ruleset, place: Place) -> Sequence[Holdout]:
    known = {each.id: each for each in ruleset.holdouts}
    if missing := [key for key in place.plan.holdouts if key not in known]:
        raise LayerMissing(
            f"{place.environment!r} has no holdout {missing[0]!r}; make it first", value=missing[0]
        )
    return [known[key] for key in place.plan.holdouts if known[key].experiments is not None]


def _joined(holdout: Holdout, experiment: str) -> Holdout:
    return structs.replace(holdout, experiments=(holdout.experiments or frozenset()) | {experiment})
