"""How asking for results can fail."""

from assay.shared.errors import Invalid, NotFound


class NoResults(NotFound):
    """The experiment has not been analysed yet."""

    code = "no_results"


class UnknownArm(Invalid):
    """The arm does not occur in the data."""

    code = "unknown_arm"


class NoRecord(NotFound):
    """The analysis kept nothing that its document could be concluded from again."""

    code = "no_record"


class ReportNotFound(NotFound):
    """The experiment has no such report."""

    code = "report_not_found"
