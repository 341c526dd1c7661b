"""How work with keys can fail."""

from assay.shared.errors import Denied, NotFound


class AccessKeyNotFound(NotFound):
    """The environment has no such key."""

    code = "access_key_not_found"


class ServerKeyRequired(Denied):
    """A client key asked for what only servers may see."""

    code = "server_key_required"


class RoleTooSmall(Denied):
    """The caller may see this, and not do this to it."""

    code = "role_too_small"
