"""How work with experiments can fail."""

from assay.shared.errors import Conflict, Invalid, NotFound


class ExperimentNotFound(NotFound):
    """The project has no such experiment."""

    code = "experiment_not_found"


class ExperimentKeyTaken(Conflict):
    """The project has an experiment with this key already."""

    code = "experiment_key_taken"


class InvalidDesign(Invalid):
    """The parts of the experiment do not fit together."""

    code = "invalid_design"
