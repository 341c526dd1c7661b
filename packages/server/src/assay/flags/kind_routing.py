"""Endpoints written once for segments, layers and holdouts, with the models of each kind."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends

from assay.flags.kinds import Address, Kind
from assay.flags.routing import EnvironmentKey, PartKey, ProjectKey

Endpoint = Callable[..., Awaitable[Any]]


def of_kind(endpoint: Endpoint, kind: Kind, models: Mapping[Any, Any]) -> Endpoint:
    """The endpoint for one kind, with the kind's own models in its signature in place of the bases."""

    async def of_kind(**given: Any) -> Any:  # noqa: ANN401 — FastAPI calls it by the signature below
        return await endpoint(**given)

    own: dict[Any, Any] = {
        Kind: Annotated[Kind, Depends(lambda: kind)],
        Address: Annotated[Address, Depends(_address_of(kind))],
        **models,
    }
    signature = inspect.signature(endpoint)
    parameters = signature.parameters.values()
    vars(of_kind)["__signature__"] = inspect.Signature(
        [each.replace(annotation=own.get(each.annotation, each.annotation)) for each in parameters],
        return_annotation=own.get(signature.return_annotation, signature.return_annotation),
    )
    return of_kind


def _address_of(kind: Kind) -> Callable[[str, str, str], Address]:
    def address(project: ProjectKey, environment: EnvironmentKey, key: PartKey) -> Address:
        return Address(kind, project, environment, key)

    return address
