"""The states of a task run and the moves between them."""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task run stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


# A worker that died leaves PROCESSING behind; whoever takes the task up again starts from there.
STARTABLE = frozenset({TaskState.PENDING, TaskState.PROCESSING})
FINISHED = frozenset({TaskState.COMPLETED, TaskState.FAILED})
