"""How work with flags, segments, layers and holdouts can fail."""

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
    """The environment does not serve the flag, segment, layer or holdout."""

    code = "not_published"


class RevisionNotFound(NotFound):
    """The flag, segment, layer or holdout has no such revision in this environment."""

    code = "revision_not_found"


class UnknownRevision(Invalid):
    """The input names a revision that does not exist."""

    code = "unknown_revision"


class SegmentNotFound(NotFound):
    """The environment has no such segment."""

    code = "segment_not_found"


class SegmentKeyTaken(Conflict):
    """The environment has a segment with this key already."""

    code = "segment_key_taken"


class SegmentInUse(Conflict):
    """Flags or other segments refer to the segment."""

    code = "segment_in_use"


class LayerNotFound(NotFound):
    """The environment has no such layer."""

    code = "layer_not_found"


class LayerKeyTaken(Conflict):
    """The environment has a layer with this key already."""

    code = "layer_key_taken"


class LayerInUse(Conflict):
    """Flags split their units in the layer."""

    code = "layer_in_use"


class HoldoutNotFound(NotFound):
    """The environment has no such holdout."""

    code = "holdout_not_found"


class HoldoutKeyTaken(Conflict):
    """The environment has a holdout with this key already."""

    code = "holdout_key_taken"


class HoldoutInUse(Conflict):
    """Flags run experiments that the holdout keeps units out of."""

    code = "holdout_in_use"


class StaleVersion(Stale):
    """Somebody else has changed it since it was read."""

    code = "stale_version"


class VersionMissing(ConditionMissing):
    """The change does not say which version it was made from."""

    code = "version_missing"
