"""The kinds of parts that a ruleset has beside its flags: segments, layers, holdouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.flags import documents, errors
from assay.flags.documents import Document
from assay.flags.part_schemas import (
    HoldoutConfiguration,
    HoldoutCreate,
    HoldoutOut,
    HoldoutState,
    HoldoutUpdate,
    LayerConfiguration,
    LayerCreate,
    LayerOut,
    LayerState,
    LayerUpdate,
    PartConfiguration,
    PartCreate,
    PartOut,
    PartState,
    PartUpdate,
    SegmentConfiguration,
    SegmentCreate,
    SegmentOut,
    SegmentState,
    SegmentUpdate,
)
from assay.shared.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of parts: its name, what the API takes and gives, and how work with it fails.

    Attributes:
        is_salted: Whether its units fall into buckets, whose salt is the key unless another is given.
        way_out: What to do about one that is in use, as the end of the sentence that refuses.
    """

    name: str
    create: type[PartCreate]
    update: type[PartUpdate]
    configuration: type[PartConfiguration]
    out: type[PartOut]
    state: type[PartState]
    not_found: type[NotFound]
    key_taken: type[Conflict]
    in_use: type[Conflict]
    is_salted: bool
    way_out: str = ""

    @property
    def plural(self) -> str:
        """Its name in addresses."""
        return f"{self.name}s"

    def document(self, key: str, fields: Mapping[str, Any]) -> Document:
        """A part's document as the engine writes it; a field of None counts as left out.

        Raises:
            MalformedFlag: It is not of the wire format.
        """
        document = {**fields, "id": key}
        if self.is_salted:
            given: Mapping[str, Any] = fields.get("bucketing") or {}
            document["bucketing"] = {"salt": key, **given}
        return documents.part(self.name, document)

    def text(self, document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        """A document as `Texts` and the database take it."""
        return {(self.name, str(document["id"])): documents.to_text(document)}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a part is, as people name it."""

    kind: Kind
    project: str
    environment: str
    key: str


SEGMENT = Kind(
    name="segment",
    create=SegmentCreate,
    update=SegmentUpdate,
    configuration=SegmentConfiguration,
    out=SegmentOut,
    state=SegmentState,
    not_found=errors.SegmentNotFound,
    key_taken=errors.SegmentKeyTaken,
    in_use=errors.SegmentInUse,
    is_salted=False,
)
LAYER = Kind(
    name="layer",
    create=LayerCreate,
    update=LayerUpdate,
    configuration=LayerConfiguration,
    out=LayerOut,
    state=LayerState,
    not_found=errors.LayerNotFound,
    key_taken=errors.LayerKeyTaken,
    in_use=errors.LayerInUse,
    is_salted=True,
)
HOLDOUT = Kind(
    name="holdout",
    create=HoldoutCreate,
    update=HoldoutUpdate,
    configuration=HoldoutConfiguration,
    out=HoldoutOut,
    state=HoldoutState,
    not_found=errors.HoldoutNotFound,
    key_taken=errors.HoldoutKeyTaken,
    in_use=errors.HoldoutInUse,
    is_salted=True,
    way_out="; let its units into experiments first, with `experiments: []`",
)
KINDS = (SEGMENT, LAYER, HOLDOUT)
