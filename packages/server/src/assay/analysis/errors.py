"""How asking for results can fail."""

from assay.shared.errors import Conflict, Invalid, NotFound


class NoResults(NotFound):
    """The experiment has not been analysed yet."""

    code = "no_results"


class UnknownArm(Invalid):
    """The arm does not occur in the data."""

    code = "unknown_arm"


class NoRecord(NotFound):
    """The analysis kept nothing that its document could be concluded from again."""

    code = "no_record"


class UnknownOption(Invalid):
    """What was asked of an analysis does not fit the experiment."""

    code = "unknown_option"


class AnalysisCancelled(Conflict):
    """Somebody asked for the analysis to be stopped; it has no result."""

    code = "analysis_cancelled"


class AnalysisTimeout(Conflict):
    """The analysis took longer than allowed and was stopped; it has no result."""

    code = "analysis_timeout"


class ReportNotFound(NotFound):
    """The experiment has no such report."""

    code = "report_not_found"


class NoSubject(Conflict):
    """The report was made by a version that did not keep what it is about."""

    code = "no_subject"


class NotApproved(Conflict):
    """Only approved reports are shared."""

    code = "not_approved"


class ShareLinkNotFound(NotFound):
    """There is no such link, or it opens nothing any more."""

    code = "share_link_not_found"
