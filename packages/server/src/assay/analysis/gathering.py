"""The tables that an experiment is read from: found in the project, asked where they are, brought here."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from assay.analysis.plan import Number, Plan
from assay.core.config import Settings
from assay.core.database import Database, ReadSession
from assay.experiments.design import FromTable
from assay.experiments.schemas import ExperimentOut
from assay.jobs.worker import Task
from assay.metrics.definition import Quantity
from assay.metrics.filters import Filtered
from assay.metrics.schemas import MetricOut
from assay.shared.errors import AssayError
from assay.sources import catalog, fetching, looking
from assay.sources.engines.opening import Means
from assay.sources.errors import QueryCancelled, TableNotFound, UnknownTable
from assay.sources.fetching import Exposed, Located, Wanted

if TYPE_CHECKING:
    import pyarrow as pa

EMPTY_SPAN = (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
Span = tuple[datetime, datetime]
"""The first and the last exposure."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where an experiment's tables stand.

    Attributes:
        exposed: Its exposures, None when they are events.
        located: The tables of its metrics, by key.
        unit: The kind of its units, None when nobody has said.
        unread: Tables that the project does not have, each with a sentence.
    """

    exposed: Exposed | None
    located: Mapping[str, Located]
    unit: str | None
    unread: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows of each source, and what was said by those that gave none."""

    rows: dict[str, "pa.Table"] = field(default_factory=dict[str, "pa.Table"])
    unread: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks the tables of one analysis for their rows, until it is told to stop.

    Attributes:
        stopping: Set when the analysis as a whole is being stopped.
    """

    settings: Settings
    database: Database
    task: Task
    places: Places
    stopping: threading.Event = field(default_factory=threading.Event)

    async def exposures(self) -> "pa.Table | None":
        """The exposures, None when they are events."""
        if self.places.exposed is None:
            return None
        return await fetching.exposures(self.places.exposed, self._means, self._bounds, self._is_cancelled)

    async def sources(self, plan: Plan, span: Span | None) -> Gathered:
        """The rows of every source that the plan names; one that fails says why.

        Raises:
            QueryCancelled: Somebody asked for the analysis to be stopped.
        """
        found = Gathered(unread=dict(self.places.unread))
        for key, place in self.places.located.items():
            await self.task.report(0.2, f"reading table {key}")
            try:
                found.rows[key] = await self._events(place, plan, span)
            except QueryCancelled:
                raise
            except AssayError as error:
                found.unread[key] = error.message
        return found

    async def _events(self, place: Located, plan: Plan, span: Span | None) -> "pa.Table":
        exposed = self.places.exposed
        unit = fetching.unit_of(place.table, self.places.unit, is_certain=exposed is not None)
        numbers = [number for number in plan.numbers if number.source == place.table.key]
        wanted = wanted_of(numbers, unit, span, exposed=exposed if _is_beside(exposed, place) else None)
        return await fetching.events(place, wanted, self._means, self._bounds, self._is_cancelled)

    @property
    def _means(self) -> Means:
        return looking.means_of(self.settings, timeout_seconds=self.settings.source_timeout_seconds)

    @property
    def _bounds(self) -> fetching.Bounds:
        return fetching.Bounds(self.settings.source_max_scan_bytes, self.settings.source_max_fetch_rows)

    async def _is_cancelled(self) -> bool:
        if self.stopping.is_set():
            return True
        async with self.database.reading() as tx:
            return await catalog.is_cancelled(tx, self.task.id)


async def locate(
    tx: ReadSession, project: str, experiment: ExperimentOut, metrics: Sequence[MetricOut]
) -> Places:
    """Where an experiment's tables stand.

    Raises:
        UnknownTable, UnusableTable: Its exposures cannot be read.
    """
    exposed = await _exposed(tx, project, experiment)
    located: dict[str, Located] = {}
    unread: dict[str, str] = {}
    for key in sorted({metric.source for metric in metrics if metric.source is not None}):
        try:
            located[key] = Located(*await catalog.table_with_connection(tx, project, key))
        except TableNotFound as error:
            unread[key] = error.message
    planned = None if experiment.plan is None else experiment.plan.unit_path[0]
    return Places(exposed, located, planned if exposed is None else exposed.unit, unread)


def wanted_of(numbers: Sequence[Number], unit: str, span: Span | None, *, exposed: Exposed | None) -> Wanted:
    """The events that numbers of one table need, for exposures in this span; None is no exposure."""
    parts = [part for number in numbers for part in _parts(number)]
    first, last = span or EMPTY_SPAN
    ends = [number.window.to_hours for number in numbers]
    latest = None if None in ends else max((end for end in ends if end is not None), default=0)
    return Wanted(
        unit=unit,
        names=sorted({part.event for part in parts}),
        properties=sorted({name for part in parts for name in _properties(part)}),
        since=first + timedelta(hours=min((number.window.from_hours for number in numbers), default=0)),
        until=last if span is None else None if latest is None else last + timedelta(hours=latest),
        exposed=exposed,
    )


def _is_beside(exposed: Exposed | None, place: Located) -> bool:
    # A folder's engine may open the files of one pattern only.
    connection = place.connection
    is_joinable = connection.definition.kind != "files"
    return is_joinable and exposed is not None and exposed.place.connection.key == connection.key


async def _exposed(tx: ReadSession, project: str, experiment: ExperimentOut) -> Exposed | None:
    assignments = experiment.assignments
    if not isinstance(assignments, FromTable):
        return None
    try:
        place = Located(*await catalog.table_with_connection(tx, project, assignments.table))
    except TableNotFound as error:
        raise UnknownTable(error.message, value=assignments.table) from error
    unit = fetching.unit_of(place.table, assignments.unit, is_certain=assignments.unit is not None)
    return Exposed(place, experiment.key, unit)


def _parts(number: Number) -> Sequence[Filtered]:
    return number.made_of if isinstance(number.made_of, tuple) else (number.made_of,)


def _properties(part: Filtered) -> set[str]:
    named = {each.property for each in part.filters}
    named |= {part.property} if isinstance(part, Quantity) else set()
    return {name for name in named if name is not None}
