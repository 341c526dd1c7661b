"""What takes events in, as long-lived as the application: who sends, and the common transactions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from assay.core.config import Settings
from assay.core.database import Database
from assay.events.grouping import Committer, committing
from assay.events.senders import Senders


@dataclass(frozen=True, slots=True)
class Intake:
    """The parts."""

    senders: Senders
    committer: Committer


@asynccontextmanager
async def taking_in(settings: Settings, database: Database) -> AsyncGenerator[Intake]:
    """An intake while the block lasts; what waits at its end is stored first."""
    async with committing(
        database, max_events=settings.event_waiting_limit, max_bytes=settings.event_waiting_bytes
    ) as committer:
        yield Intake(Senders(database), committer)
