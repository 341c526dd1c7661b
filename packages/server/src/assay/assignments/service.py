"""Remembering the first variant of units: the first word counts, whoever says another later."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.assignments import repository
from assay.assignments.keeping import Keeping, Known, Place, places_of, with_known
from assay.core.database import ReadSession, WriteSession
from assay_engine import Context

CLEARED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Met:
    """A unit that met a variant under a version of an experiment."""

    experiment: str
    unit: str
    version: int
    variant: str
    at: datetime

    @property
    def row(self) -> tuple[str, str, int, str, datetime]:
        """As the repository takes it."""
        return (self.experiment, self.unit, self.version, self.variant, self.at)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an experiment keeps.

    Attributes:
        since: Exposures before it belong to an earlier version.
        unit_kind: Where the assigned unit stands among an exposure's other units; None: it is its own.
    """

    environment_id: uuid.UUID
    experiment: str
    version: int
    arms: Sequence[str]
    unit_kind: str | None
    since: datetime

    def met(self, unit: str, variant: str, at: datetime) -> Met | None:
        """What an exposure settles; None where it is of another version, or to no arm."""
        if at < self.since or variant not in self.arms:
            return None
        return Met(self.experiment, unit, self.version, variant, at)


async def keep(tx: WriteSession, kept: Kept) -> None:
    """Has the experiment's exposures settle assignments from now on."""
    await repository.keep(
        tx,
        {
            "environment_id": kept.environment_id,
            "experiment": kept.experiment,
            "version": kept.version,
            "arms": json.dumps(list(kept.arms)),
            "unit_kind": kept.unit_kind,
            "since": kept.since,
        },
    )


async def end(tx: WriteSession, environment_id: uuid.UUID, experiment: str, *, at: datetime) -> None:
    """Says that nobody needs the experiment's assignments any more; one that kept none is left alone."""
    await repository.end(tx, environment_id, experiment, at)


async def known(tx: ReadSession, environment_id: uuid.UUID, places: Iterable[Place]) -> Known:
    """The assignments of some places."""
    wanted = sorted(set(places))
    found: dict[Place, dict[int, str]] = {}
    if wanted:
        experiments, units = zip(*wanted, strict=True)
        for experiment, unit, version, variant in await repository.known(
            tx, environment_id, experiments, units
        ):
            found.setdefault((experiment, unit), {})[version] = variant
    return found


async def given_to(
    tx: ReadSession, environment_id: uuid.UUID, contexts: Sequence[Context], keepings: Sequence[Keeping]
) -> list[Context]:
    """The contexts with the assignments that sticky splits want to know of their units."""
    if not keepings:
        return list(contexts)
    found = await known(tx, environment_id, places_of(keepings, contexts))
    return [with_known(context, keepings, found) for context in contexts]


async def settle(tx: WriteSession, environment_id: uuid.UUID, met: Met) -> str:
    """The variant that the unit has: this one if it is the first, else the one before it."""
    await repository.settle(tx, environment_id, [met.row])
    found = await known(tx, environment_id, [(met.experiment, met.unit)])
    return found[met.experiment, met.unit][met.version]


async def keeping(tx: ReadSession, environments: Sequence[uuid.UUID]) -> Mapping[tuple[uuid.UUID, str], Kept]:
    """The experiments of some environments whose exposures settle assignments now."""
    rows = await repository.keeping(tx, environments)
    return {(row.environment_id, row.experiment): Kept(*row) for row in rows}


async def settle_all(tx: WriteSession, met: Mapping[uuid.UUID, Sequence[Met]]) -> None:
    """Stores what is new, of many units at once."""
    for environment_id in sorted(met):
        await repository.settle(tx, environment_id, [each.row for each in met[environment_id]])


async def clear_ended(tx: WriteSession, *, before: datetime) -> bool:
    """Deletes some assignments of an experiment that ended before a moment; whether there was one."""
    place = await repository.ended(tx, before)
    if place is not None:
        await repository.clear(tx, *place, limit=CLEARED_AT_ONCE)
    return place is not None


async def forget(tx: WriteSession, environment_id: uuid.UUID, unit: str) -> int:
    """Deletes all assignments of a unit; how many there were."""
    return await repository.forget(tx, environment_id, unit)
