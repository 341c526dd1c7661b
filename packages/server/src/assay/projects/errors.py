"""How work with projects can fail."""

from assay.shared.errors import Conflict, NotFound


class ProjectNotFound(NotFound):
    """No project has this key."""

    code = "project_not_found"


class EnvironmentNotFound(NotFound):
    """The project has no such environment."""

    code = "environment_not_found"


class KeyTaken(Conflict):
    """Another project or environment has the key already."""

    code = "key_taken"
