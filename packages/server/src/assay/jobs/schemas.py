"""What the API says about background work."""

import uuid
from datetime import datetime

from pydantic import Field

from assay.jobs.lifecycle import TaskState
from assay.shared.schema import Outgoing


class TaskOut(Outgoing):
    """A task run; ask again until `state` is COMPLETED or FAILED."""

    id: uuid.UUID
    kind: str
    state: TaskState
    progress: float = Field(description="Share done, 0 to 1.")
    note: str = Field(description="What it is doing.")
    error: str | None = Field(description="Why it failed.")
    error_code: str | None = Field(description="Stable code of the failure; programs decide by this.")
    attempts: int
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
