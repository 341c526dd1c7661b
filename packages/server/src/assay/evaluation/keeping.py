"""Answers that rest on earlier assignments: asked for once per unit, and settled before they are given.

What a unit was given first is written before the answer leaves, so that every process that asks afterwards
finds it, whatever its ruleset. Found assignments are remembered for a while, as they never change but by
being forgotten; that there is none is not, since another process may write one at any moment.
"""

import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio
import structlog

from assay.assignments import service as assignments
from assay.assignments.keeping import Keeping, Known, Place, places_of, with_known
from assay.assignments.service import Met
from assay.core.database import Database
from assay.evaluation.answers import Answer
from assay.evaluation.following import FAILURES
from assay.evaluation.snapshots import Snapshot
from assay_engine import Context
from assay_engine.rules.answers import assignment_key

log = structlog.get_logger()

REMEMBERED_PLACES = 200_000
# A unit that was forgotten is gone from every process after this time.
REMEMBERED_SECONDS = 60.0
# Longer than a healthy database takes, and short enough that a page can wait for it.
PATIENCE_SECONDS = 1.0
ASK_AGAIN_SECONDS = 1.0


Recollection = tuple[float, Mapping[int, str]]
"""Until when it holds, on the monotonic clock, and variants by version."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and whether its assignment is stored, without which it is nobody's exposure."""

    answer: Answer
    is_settled: bool


class Keeper:
    """The assignments that one process knows of, and the way to those it does not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: OrderedDict[tuple[uuid.UUID, Place], Recollection] = OrderedDict()
        self._silent_until = float("-inf")
        self.unsettled = 0

    async def answer(self, snapshot: Snapshot, key: str, context: Context, now: datetime) -> Given:
        """One flag's answer where it rests on assignments; a first one is stored before it is given."""
        keepings = snapshot.keepings[key]
        known, is_all = await self._known(snapshot.environment_id, places_of(keepings, [context]), keepings)
        answer = snapshot.answer(key, with_known(context, keepings, known), now)
        met = _met(answer, keepings, context, now)
        if met is None or met.version in known.get((met.experiment, met.unit), {}):
            return Given(answer, is_settled=True)
        first = await self._settle(snapshot.environment_id, met) if is_all else None
        if first is None:
            self.unsettled += 1
            return Given(answer, is_settled=False)
        if first == met.variant:
            return Given(answer, is_settled=True)
        # Another process was first, with another ruleset.
        place = (met.experiment, met.unit)
        known = {**known, place: {**known.get(place, {}), met.version: first}}
        return Given(snapshot.answer(key, with_known(context, keepings, known), now), is_settled=True)

    async def remembering(self, snapshot: Snapshot, context: Context) -> Context:
        """The context with all that the snapshot's sticky splits want to know of its units."""
        keepings = snapshot.all_keepings
        known, _ = await self._known(snapshot.environment_id, places_of(keepings, [context]), keepings)
        return with_known(context, keepings, known)

    async def _known(
        self, environment_id: uuid.UUID, places: set[Place], keepings: Sequence[Keeping]
    ) -> tuple[Known, bool]:
        """What is known of the places, and whether that is all there is."""
        found = {place: self._recalled(environment_id, place) for place in places}
        doubtful = [place for place in places if not _is_settled(place, found[place], keepings)]
        if not doubtful:
            return found, True
        read = await self._read(environment_id, doubtful)
        if read is None:
            return found, False
        self._remember(environment_id, read)
        return {**{place: found[place] for place in places if place not in doubtful}, **read}, True

    async def _read(self, environment_id: uuid.UUID, places: Sequence[Place]) -> Known | None:
        if time.monotonic() < self._silent_until:
            return None
        try:
            with anyio.fail_after(PATIENCE_SECONDS):
                async with self._database.reading() as tx:
                    return await assignments.known(tx, environment_id, places)
        except FAILURES as error:
            return self._fall_silent(error)

    async def _settle(self, environment_id: uuid.UUID, met: Met) -> str | None:
        try:
            with anyio.fail_after(PATIENCE_SECONDS):
                first = await self._database.write(
                    partial(assignments.settle, environment_id=environment_id, met=met)
                )
        except FAILURES as error:
            return self._fall_silent(error)
        self._remember(environment_id, {(met.experiment, met.unit): {met.version: first}})
        return first

    def _fall_silent(self, error: Exception) -> None:
        # Without a pause every request would wait for a database that does not answer.
        self._silent_until = time.monotonic() + ASK_AGAIN_SECONDS
        log.warning("assignments_unread", error=str(error).strip() or type(error).__name__)

    def _recalled(self, environment_id: uuid.UUID, place: Place) -> Mapping[int, str]:
        remembered = self._remembered.get((environment_id, place))
        if remembered is None:
            return {}
        until, versions = remembered
        return versions if time.monotonic() < until else {}

    def _remember(self, environment_id: uuid.UUID, found: Known) -> None:
        until = time.monotonic() + REMEMBERED_SECONDS
        for place, versions in found.items():
            self._remembered[environment_id, place] = (until, versions)
            self._remembered.move_to_end((environment_id, place))
        while len(self._remembered) > REMEMBERED_PLACES:
            self._remembered.popitem(last=False)


def _is_settled(place: Place, versions: Mapping[int, str], keepings: Sequence[Keeping]) -> bool:
    wanting = [keeping for keeping in keepings if keeping.experiment == place[0]]
    return bool(versions) and all(keeping.is_settled_by(versions) for keeping in wanting)


def _met(answer: Answer, keepings: Sequence[Keeping], context: Context, now: datetime) -> Met | None:
    """The assignment that an answer stands for; None where it is nobody's."""
    given = answer.evaluation
    if given.assignment is None or given.variant is None:
        return None
    for keeping in keepings:
        if assignment_key(keeping.experiment, keeping.version) == given.assignment:
            place = keeping.place_of(context)
            return None if place is None else Met(*place, keeping.version, given.variant, now)
    return None
