"""How work with projects can fail."""

from assay.shared.errors import Conflict, Invalid, NotFound


class ProjectNotFound(NotFound):
    """No project has this key."""

    code = "project_not_found"


class EnvironmentNotFound(NotFound):
    """The project has no such environment."""

    code = "environment_not_found"


class UnknownEnvironment(Invalid):
    """The input names an environment that the project does not have."""

    code = "unknown_environment"


class KeyTaken(Conflict):
    """Another project or environment has the key already."""

    code = "key_taken"
