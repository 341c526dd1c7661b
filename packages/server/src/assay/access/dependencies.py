"""What endpoints ask for about the caller."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request

from assay.access import service
from assay.access.errors import RoleTooSmall
from assay.access.keys import presented_token
from assay.access.policy import Role, changes_reports
from assay.core.dependencies import AppDatabase, AppSettings
from assay.shared.ids import Key

CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def _token(request: Request) -> str | None:
    return presented_token(request.headers.get("authorization"), request.headers.get("x-api-key"))


PresentedToken = Annotated[str | None, Depends(_token)]


async def _role(
    project: Annotated[Key, Path(description="Key of the project.")],
    token: PresentedToken,
    settings: AppSettings,
    database: AppDatabase,
) -> Role:
    if token is None and settings.delivers_without_key:
        return Role.ADMIN
    if token is not None:
        async with database.reading() as tx:
            role = await service.role_of(tx, token, project)
        if role is not None:
            return role
    raise HTTPException(
        HTTPStatus.UNAUTHORIZED,
        f"this needs a server key of project {project!r}: Authorization: Bearer <key>; "
        "an approved report can also be read by a share link",
        CHALLENGE,
    )


CallerRole = Annotated[Role, Depends(_role)]
"""What the caller is to the project; in open local mode, everything."""


def _changes_reports(role: CallerRole) -> Role:
    if not changes_reports(role):
        raise RoleTooSmall(f"{role} may read reports, not make or share them", value=role)
    return role


MakesReports = Annotated[Role, Depends(_changes_reports)]
