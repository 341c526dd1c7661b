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


class NotPlanned(Conflict):
    """The experiment is observed: its units are assigned elsewhere, so it has no plan and no states."""

    code = "not_planned"


class InvalidPlan(Invalid):
    """The parts of the plan do not fit together, or name what does not exist."""

    code = "invalid_plan"


class NotReady(Conflict):
    """A readiness check keeps the experiment from starting; `details` holds every one that does."""

    code = "not_ready"


class LayerFull(Conflict):
    """The layer has not enough room left."""

    code = "layer_full"


class LayerMissing(Conflict):
    """The environment does not have the layer or holdout that the plan names."""

    code = "layer_missing"


class HoldoutUnread(Conflict):
    """Nobody has said by which metrics the holdout is read."""

    code = "holdout_unread"


class HoldoutIdle(Conflict):
    """The holdout keeps nobody out of anything, or everybody, so there is nothing to analyse."""

    code = "holdout_idle"


class RuleMissing(Conflict):
    """Somebody has taken the experiment's rule out of the flag."""

    code = "rule_missing"


class CoverageNotRaised(Conflict):
    """Within a phase coverage only rises; anything else needs a new phase."""

    code = "coverage_not_raised"


class InvalidSchedule(Invalid):
    """A time lies in the past, or the end not after the start."""

    code = "invalid_schedule"


class UnknownResult(Invalid):
    """A decision rests on a result that the experiment does not have, or that is not finished."""

    code = "unknown_result"


class TemplateNotFound(NotFound):
    """The project has no such template."""

    code = "template_not_found"


class NoBalance(Invalid):
    """No salt balances the arms as was asked."""

    code = "no_balance"


class NotComputable(Invalid):
    """A size or duration cannot be computed from what is given; the message says why."""

    code = "not_computable"
