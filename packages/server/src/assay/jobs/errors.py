"""How asking for background work can fail."""

from assay.shared.errors import Conflict, NotFound


class TaskNotFound(NotFound):
    """There is no such task run."""

    code = "task_not_found"


class NotFinished(Conflict):
    """The result was asked for before there is one."""

    code = "task_not_finished"


class TaskFailed(Conflict):
    """The task ended without a result."""

    code = "task_failed"
