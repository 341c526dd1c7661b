"""Who may see and do what: roles, and what each is allowed. Nothing here reads or writes."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is to a project; a share link is a VIEWER of one report."""

    ADMIN = "ADMIN"
    DEVELOPER = "DEVELOPER"
    ANALYST = "ANALYST"
    VIEWER = "VIEWER"


SEE_ALL = frozenset({Role.ADMIN, Role.DEVELOPER, Role.ANALYST})
CHANGE = frozenset({Role.ADMIN, Role.DEVELOPER})


def sees_report(role: Role, *, is_approved: bool) -> bool:
    """Whether a report is there for somebody; viewers are shown what has been approved."""
    return is_approved or role in SEE_ALL


def changes_reports(role: Role) -> bool:
    """Whether somebody may make, approve and share reports."""
    return role in CHANGE
