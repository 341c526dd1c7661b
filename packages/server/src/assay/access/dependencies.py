"""What endpoints ask for about the caller."""

from typing import Annotated

from fastapi import Depends, Request

from assay.access.keys import presented_token


async def _token(request: Request) -> str | None:
    return presented_token(request.headers.get("authorization"), request.headers.get("x-api-key"))


PresentedToken = Annotated[str | None, Depends(_token)]
