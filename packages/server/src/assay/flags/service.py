"""What can be done with flags."""

import uuid
from collections.abc import Mapping
from datetime import datetime

import anyio.to_thread

from assay.core.database import ReadSession, WriteSession
from assay.flags import repository
from assay.projects import service as projects
from assay_engine import Ruleset, loads


async def published_ruleset(tx: ReadSession, environment_id: uuid.UUID) -> Ruleset:
    """All that an environment serves, ordered by key, with its revision.

    These are its published flags that are not archived, its segments, layers and holdouts.

    Raises:
        EnvironmentNotFound: There is no such environment.
    """
    # The revision first: should a publication come in between, it is announced with a higher one.
    environment = await projects.environment(tx, environment_id)
    texts = await repository.served(tx, environment_id)
    datafile = texts.datafile(environment=environment.key, revision=environment.revision)
    # Thousands of flags take a while to parse; requests must not wait for it.
    return await anyio.to_thread.run_sync(loads, datafile)


async def record_evaluations(
    tx: WriteSession, environment_id: uuid.UUID, counts: Mapping[tuple[str, str], int], at: datetime
) -> None:
    """Adds to how often each variant of each flag was served on the day of `at`.

    Args:
        counts: Number of evaluations by flag and variant; the empty name stands for no variant.
    """
    if counts:
        await repository.add_evaluations(tx, environment_id, counts, at=at)
