"""How work with flags and segments can fail."""

from assay.shared.errors import ConditionMissing, Conflict, Invalid, NotFound, Stale


class FlagNotFound(NotFound):
    """The project has no such flag."""

    code = "flag_not_found"


class FlagKeyTaken(Conflict):
    """The project has a flag with this key already."""

    code = "flag_key_taken"


class FlagIsArchived(Conflict):
    """An archived flag does not change."""

    code = "flag_is_archived"


class FlagInUse(Conflict):
    """Others need the flag, or it has a history worth keeping."""

    code = "flag_in_use"


class MalformedFlag(Invalid):
    """A flag, rule or segment is not of the wire format; the message begins with the place."""

    code = "malformed_flag"


class Unpublishable(Invalid):
    """The environment's ruleset would fail the check; `details` holds every problem."""

    code = "unpublishable"


class NothingToPublish(Conflict):
    """The environment serves this already."""

    code = "nothing_to_publish"


class NotPublished(Conflict):
    """The environment has never served the flag."""

    code = "not_published"


class RevisionNotFound(NotFound):
    """The flag has no such revision in this environment."""

    code = "revision_not_found"


class SegmentNotFound(NotFound):
    """The environment has no such segment."""

    code = "segment_not_found"


class SegmentKeyTaken(Conflict):
    """The environment has a segment with this key already."""

    code = "segment_key_taken"


class SegmentInUse(Conflict):
    """Flags or other segments refer to the segment."""

    code = "segment_in_use"


class StaleVersion(Stale):
    """Somebody else has changed it since it was read."""

    code = "stale_version"


class VersionMissing(ConditionMissing):
    """The change does not say which version it was made from."""

    code = "version_missing"
