"""Whether a document follows from its record, digit for digit."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

from assay.analysis.bundle import Bundle, TamperedBundle, UnreadableBundle
from assay.analysis.document import Document
from assay.analysis.record import STATISTICS, canonical, concluded, read


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of concluding again.

    Attributes:
        numbers: How many numbers the document has.
        difference: The first part that is not the same, None when all are.
        made_by: The version of Assay that made the document.
    """

    content_hash: str
    numbers: int
    difference: str | None
    made_by: str


def reproduce(bundle: Bundle) -> Reproduction:
    """Concludes a bundle's record again and compares every number with the document beside it.

    Raises:
        UnreadableBundle: This version of Assay knows no such record.
        TamperedBundle: Digits are the same, but the document's hash belongs to another document.
    """
    try:
        again = concluded(read(bundle.written))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableBundle(
            "the record cannot be read by this version of Assay; "
            f"it was made by version {bundle.document.assay_version}"
        ) from error
    difference = _first_difference(bundle.document, again)
    if difference is None and _is_forged(bundle.document, again):
        raise TamperedBundle(
            "the document's content hash is not that of its digits; it was changed after the export",
            value=bundle.document.content_hash,
        )
    return Reproduction(
        content_hash=again.content_hash or "",
        numbers=sum(isinstance(value, int | float) for _, value in _leaves("", _comparable(again))),
        difference=difference,
        made_by=bundle.document.assay_version,
    )


def _is_forged(document: Document, again: Document) -> bool:
    # Another version of the methods has another hash although the digits are the same.
    same_version = document.assay_version == again.assay_version == version(STATISTICS)
    return same_version and document.content_hash != again.content_hash


def _first_difference(document: Document, again: Document) -> str | None:
    told, found = _comparable(document), _comparable(again)
    if canonical(told) == canonical(found):
        return None
    before, after = dict(_leaves("", told)), dict(_leaves("", found))
    place = next(path for path in [*before, *after] if before.get(path, ...) != after.get(path, ...))
    return (
        f"{place} is {before.get(place, 'absent')!r} in the document and {after.get(place, 'absent')!r} again"
    )


def _comparable(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json", exclude={"content_hash", "assay_version"})


def _leaves(path: str, part: object) -> Iterator[tuple[str, object]]:
    match part:
        case dict():
            for name, item in cast("dict[str, object]", part).items():
                yield from _leaves(f"{path}/{name}", item)
        case list():
            for place, item in enumerate(cast("list[object]", part)):
                yield from _leaves(f"{path}/{place}", item)
        case _:
            yield path, part
