"""What was served, gathered in memory and written every few seconds in one transaction."""

import asyncio
import hashlib
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from assay.access import service as access
from assay.assignments.keeping import LONGEST_UNIT, path_name, unit_of
from assay.core.clock import utc_now
from assay.core.database import Database, WriteSession
from assay.evaluation.answers import Answer
from assay.evaluation.following import FAILURES
from assay.evaluation.snapshots import Served, Snapshot
from assay.evaluation.store import Store
from assay.events import service as events
from assay.events.wire import Exposure
from assay.flags import service as flags
from assay_engine import Context, Ruleset, holdout_exposures
from assay_engine.model import Split

log = structlog.get_logger()

Counts = dict[uuid.UUID, Counter[Served]]

BUFFERED_EXPOSURES = 50_000
REMEMBERED_EXPOSURES = 200_000
# Analysis leaves out the beginning of a window, so one exposure a window would not do.
EXPOSURE_KEPT_EVERY = timedelta(minutes=1)


class Journal:
    """Counts, exposures and uses of keys that are not in the database yet; bounded in memory.

    Attributes:
        dropped: Exposures lost because the database did not take them for long.
    """

    def __init__(self, store: Store, database: Database) -> None:
        self._store = store
        self._database = database
        self._counts: Counts = {}
        self._exposures: dict[tuple[uuid.UUID, str], Exposure] = {}
        self._remembered: OrderedDict[tuple[uuid.UUID, str], None] = OrderedDict()
        self._uses: dict[uuid.UUID, datetime] = {}
        self._flushing = asyncio.Lock()
        self.dropped = 0

    def used(self, key_id: uuid.UUID, at: datetime) -> None:
        """Notes that a key was used."""
        self._uses[key_id] = at

    def exposed(self, environment_id: uuid.UUID, answer: Answer, context: Context, at: datetime) -> None:
        """Notes that a unit met an experiment; the same unit again on the same day is a repeat."""
        exposure = exposure_of(answer, context, at)
        if exposure is not None:
            self._note(environment_id, exposure)

    def met_holdouts(self, snapshot: Snapshot, answer: Answer, context: Context, at: datetime) -> None:
        """Notes which holdouts a unit met, and on which side, as exposures of their own; once a day each."""
        if answer.evaluation.holdouts:
            for exposure in holdout_exposures_of(snapshot.compiled.ruleset, answer, context, at):
                self._note(snapshot.environment_id, exposure)

    def _note(self, environment_id: uuid.UUID, exposure: Exposure) -> None:
        if exposure.id is None:
            return
        place = (environment_id, exposure.id)
        if place in self._remembered:
            return
        if len(self._exposures) >= BUFFERED_EXPOSURES:
            self.dropped += 1
            return
        self._exposures[place] = exposure
        self._remembered[place] = None
        if len(self._remembered) > REMEMBERED_EXPOSURES:
            self._remembered.popitem(last=False)

    async def keep_writing(self, every_seconds: float) -> None:
        """Writes now and then until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Writes what there is; what the database does not take stays for the next time."""
        async with self._flushing:
            self._gather()
            if not (self._counts or self._exposures or self._uses):
                return
            counts, exposures, uses = self._counts, self._exposures, self._uses
            self._counts, self._exposures, self._uses = {}, {}, {}
            at = utc_now()
            try:
                grouped = _by_environment(exposures)
                await self._database.write(lambda tx: _write(tx, counts, grouped, uses, at))
            except FAILURES as error:
                log.warning("journal_unwritten", error=str(error).strip())
                self._take_back(counts, exposures, uses)

    def _gather(self) -> None:
        for environment_id, counts in self._store.collect().items():
            self._counts.setdefault(environment_id, Counter()).update(counts)

    def _take_back(
        self,
        counts: Counts,
        exposures: dict[tuple[uuid.UUID, str], Exposure],
        uses: dict[uuid.UUID, datetime],
    ) -> None:
        for environment_id, given in counts.items():
            self._counts.setdefault(environment_id, Counter()).update(given)
        self._exposures = exposures | self._exposures
        self._uses = uses | self._uses


def exposure_of(answer: Answer, context: Context, at: datetime) -> Exposure | None:
    """The exposure an answer stands for; None when it is none, or the unit's name is none an event can have.

    Its id is derived from who met what on which day (UTC), of a switchback in which minute, so that the
    same in another process is a repeat.
    """
    split, given = answer.split, answer.evaluation
    if split is None or given.experiment is None or given.variant is None:
        return None
    assigned = unit_of(context, split.bucketing.unit)
    unit = assigned if split.exposes is None else unit_of(context, split.exposes)
    if assigned is None or unit is None:
        return None
    parts = (
        given.experiment,
        given.variant,
        unit,
        given.flag_key,
        split.bucketing.salt,
        *_when(split, at),
        *([] if split.exposes is None else [assigned]),
    )
    return Exposure(
        experiment=given.experiment,
        variant=given.variant,
        unit=unit,
        units=None if split.exposes is None else {path_name(split.bucketing.unit): assigned},
        at=at,
        id=f"ofrep:{_digest(parts)}",
        properties={"flag": given.flag_key},
    )


def holdout_exposures_of(
    ruleset: Ruleset, answer: Answer, context: Context, at: datetime
) -> Iterator[Exposure]:
    """The exposures to holdouts that an answer stands for.

    Of one day and unit they are one, whichever flag was asked; another share or salt of the holdout makes
    others, since its analysis then begins anew.
    """
    given = answer.evaluation
    for met in holdout_exposures(ruleset, given, context):
        if len(met.unit) <= LONGEST_UNIT:
            divided = (met.holdout.bucketing, met.holdout.range)
            parts = (met.experiment, met.variant.value, met.unit, *divided, at.astimezone(UTC).date())
            yield Exposure(
                experiment=met.experiment,
                variant=met.variant.value,
                unit=met.unit,
                at=at,
                id=f"ofrep:{_digest(parts)}",
                properties={"flag": given.flag_key},
            )


def _digest(parts: tuple[object, ...]) -> str:
    return hashlib.blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _when(split: Split, at: datetime) -> list[object]:
    if split.windows is None:
        return [at.astimezone(UTC).date()]
    return [(at - split.windows.anchor) // EXPOSURE_KEPT_EVERY]


def _by_environment(
    exposures: Mapping[tuple[uuid.UUID, str], Exposure],
) -> dict[uuid.UUID, list[Exposure]]:
    groups: dict[uuid.UUID, list[Exposure]] = {}
    for (environment_id, _), exposure in exposures.items():
        groups.setdefault(environment_id, []).append(exposure)
    return groups


async def _write(
    tx: WriteSession,
    counts: Mapping[uuid.UUID, Mapping[Served, int]],
    exposures: Mapping[uuid.UUID, Sequence[Exposure]],
    uses: Mapping[uuid.UUID, datetime],
    at: datetime,
) -> None:
    # In order everywhere, so that two processes lock rows alike and cannot deadlock.
    for environment_id in sorted(counts):
        await flags.record_evaluations(tx, environment_id, counts[environment_id], at)
    for environment_id in sorted(exposures):
        await events.store(tx, environment_id, exposures[environment_id], now=at)
    await access.record_use(tx, uses)
