"""Optimistic concurrency: a change names the version it was made from, or is refused."""

from assay.flags.errors import StaleVersion, VersionMissing


def tag(version: int) -> str:
    """The entity tag of a flag's definition or of a segment."""
    return f'"{version}"'


def state_tag(flag_version: int, state_version: int) -> str:
    """The entity tag of a flag in an environment: either its definition or its state makes another."""
    return f'"{flag_version}.{state_version}"'


def require(if_match: str | None, current: str) -> None:
    """Lets a change pass that was made from the current version.

    Raises:
        VersionMissing: It does not say from which.
        StaleVersion: It was made from another.
    """
    if if_match is None:
        raise VersionMissing(
            "send the header If-Match with the ETag of what you have read, "
            "so that nobody's work is overwritten"
        )
    # A proxy that compresses marks tags as weak; the content is the same.
    offered = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if not offered & {current, "*"}:
        raise StaleVersion(
            f"somebody else has changed it: you have {if_match}, it is at {current} now; read it again",
            value=if_match,
        )
