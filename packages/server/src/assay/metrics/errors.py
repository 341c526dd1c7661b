"""How work with metrics can fail."""

from assay.shared.errors import Conflict, Invalid, NotFound


class MetricNotFound(NotFound):
    """The project has no such metric."""

    code = "metric_not_found"


class UnknownMetric(Invalid):
    """The input names a metric that the project does not have."""

    code = "unknown_metric"


class MetricKeyTaken(Conflict):
    """The project has a metric with this key already."""

    code = "metric_key_taken"
