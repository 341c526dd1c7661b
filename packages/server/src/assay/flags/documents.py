"""A flag's document: its definition and one environment's configuration, in the engine's wire form.

The engine's parser is the only one; what is stored is what it gave back, so that equal flags have equal text.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

import msgspec

from assay.flags.errors import MalformedFlag, Unpublishable
from assay.shared.errors import Detail
from assay_engine import DatafileError, Flag, Ruleset, loads
from assay_engine.parsing import (
    FORMAT,
    MOST_FLAGS,
    flag_from_json,
    holdout_from_json,
    layer_from_json,
    segment_from_json,
)
from assay_engine.rules.check import check_meaning, errors
from assay_engine.values import is_object
from assay_engine.writing import flag_to_json, holdout_to_json, layer_to_json, segment_to_json

CONFIGURATION = ("enabled", "rules", "fallthrough", "off")
BOOLEAN_VARIANTS: Mapping[str, Any] = {"on": True, "off": False}

D = TypeVar("D")
T = TypeVar("T")
Document = dict[str, Any]

# Quicker than the standard library's, which counts when thousands of flags are published.
_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder()
# Flags by their text, and the texts of these very objects.
_known: dict[str, Flag] = {}
_written: dict[int, str] = {}
_knowing = Lock()

_REWRITTEN: Mapping[str, Callable[[object], Document]] = {
    "segment": lambda document: segment_to_json(segment_from_json(document)),
    "layer": lambda document: layer_to_json(layer_from_json(document)),
    "holdout": lambda document: holdout_to_json(holdout_from_json(document)),
}


@dataclass(frozen=True, slots=True)
class Definition:
    """What a flag is everywhere."""

    key: str
    type: str
    variants: Mapping[str, Any]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Texts:
    """An environment's documents as JSON text: flags by key, other parts by kind and key."""

    flags: Mapping[str, str]
    parts: Mapping[tuple[str, str], str]

    def ruleset(self, *, environment: str, revision: int) -> Ruleset:
        """The ruleset of these documents, ordered by key."""
        return Ruleset(
            flags=tuple(parsed_flag(text) for _, text in sorted(self.flags.items())),
            segments=tuple(segment_from_json(_DECODER.decode(text)) for text in self._of("segment")),
            layers=tuple(layer_from_json(_DECODER.decode(text)) for text in self._of("layer")),
            holdouts=tuple(holdout_from_json(_DECODER.decode(text)) for text in self._of("holdout")),
            environment=environment,
            revision=revision,
        )

    def datafile(self, *, environment: str, revision: int) -> bytes:
        """What `dumps` makes of the ruleset, put together from documents that are in its form already."""
        head = {"format": FORMAT, "environment": environment, "revision": revision}
        written = to_text({name: value for name, value in head.items() if value})
        parts = [(kind, list(self._of(kind))) for kind in ("segment", "layer", "holdout")]
        members = [
            written[1:-1],
            f'"flags":{json_array(text for _, text in sorted(self.flags.items()))}',
            *(f'"{kind}s":{json_array(texts)}' for kind, texts in parts if texts),
        ]
        return f"{{{','.join(members)}}}".encode()

    def with_flags(self, flags: Mapping[str, str]) -> "Texts":
        """The documents with these flags added or replaced."""
        return Texts({**self.flags, **flags}, self.parts)

    def without_flags(self, keys: Container[str]) -> "Texts":
        """The documents without these flags."""
        return Texts({each: text for each, text in self.flags.items() if each not in keys}, self.parts)

    def with_parts(self, parts: Mapping[tuple[str, str], str]) -> "Texts":
        """The documents with these parts added or replaced."""
        return Texts(self.flags, {**self.parts, **parts})

    def without_part(self, kind: str, key: str) -> "Texts":
        """The documents without this part."""
        return Texts(self.flags, {each: text for each, text in self.parts.items() if each != (kind, key)})

    def _of(self, kind: str) -> Iterable[str]:
        return (text for (of, _), text in sorted(self.parts.items()) if of == kind)


def define(definition: Definition) -> Definition:
    """The definition as the engine writes it.

    Raises:
        MalformedFlag: Key, variants or metadata are not of the format.
    """
    return definition_of(compose(definition, {}))


def definition_of(flag: Flag) -> Definition:
    """The part of a flag that is the same in every environment.

    Raises:
        MalformedFlag: A variant's name cannot be stored.
    """
    # Variant names become rows of their own when evaluations are counted, and PostgreSQL's text has no NUL.
    if any("\x00" in variant.name for variant in flag.variants):
        raise MalformedFlag(f"flag {flag.key!r}: a variant's name contains NUL")
    variants = {variant.name: variant.value for variant in flag.variants}
    return Definition(flag.key, flag.type.value, variants, dict(flag.metadata))


def compose(definition: Definition, configuration: Mapping[str, Any]) -> Flag:
    """The flag as an environment with this configuration serves it.

    Raises:
        MalformedFlag: The configuration is not of the format.
    """
    document = {
        "key": definition.key,
        "type": definition.type,
        "variants": dict(definition.variants),
        "metadata": dict(definition.metadata),
        **{name: value for name, value in configuration.items() if value is not None},
    }
    return _parsed(flag_from_json, document)


def configuration_of(document: Mapping[str, Any]) -> Document:
    """The part of a flag's document that is an environment's own."""
    return {name: document[name] for name in CONFIGURATION if name in document}


def initial_configuration(definition: Definition) -> Document:
    """What a new flag is in every environment until somebody says otherwise: disabled."""
    off = {"off": "off"} if "off" in definition.variants else {}
    return {"enabled": False, **off}


def part(kind: str, document: Mapping[str, Any]) -> Document:
    """A segment, layer or holdout as the engine writes it; a field of None counts as left out.

    Raises:
        MalformedFlag: The document is not of the format.
    """
    given = {name: value for name, value in document.items() if value is not None}
    return _parsed(_REWRITTEN[kind], given)


def part_configuration(document: Mapping[str, Any]) -> Document:
    """What a part's document says beside its id."""
    return {name: value for name, value in document.items() if name != "id"}


def to_text(document: Mapping[str, object]) -> str:
    """The document, which a parser has read, as it is stored."""
    return _ENCODER.encode(document).decode()


def json_array(texts: Iterable[str]) -> str:
    """One JSON array of these documents."""
    return f"[{','.join(texts)}]"


def parsed_flag(text: str) -> Flag:
    """The flag of a stored document; kept, as one change leaves thousands of others as they are."""
    flag = _known.get(text)
    if flag is None:
        flag = flag_from_json(_DECODER.decode(text))
        remember(text, flag)
    return flag


def text_of(flag: Flag) -> str:
    """A flag's document as it is stored."""
    text = _written.get(id(flag))
    # Of that very object: what has been forgotten may have left its address to another.
    return text if text is not None and _known.get(text) is flag else to_text(flag_to_json(flag))


def remember(text: str, flag: Flag) -> None:
    """Keeps what the parser would make of a text, so that who has just written it need not read it."""
    with _knowing:
        if len(_known) >= MOST_FLAGS and text not in _known:
            _forget(next(iter(_known)))
        elif text in _known:
            _forget(text)
        _known[text] = flag
        _written[id(flag)] = text


def forget() -> None:
    """Forgets every flag that was read or written, as a process does not know those of another."""
    with _knowing:
        _known.clear()
        _written.clear()


def _forget(text: str) -> None:
    _written.pop(id(_known.pop(text)), None)


def loaded(datafile: bytes) -> Ruleset:
    """The ruleset of a datafile; flags that are known from before are not read again.

    Raises:
        MalformedFlag: It is not of the format.
    """
    return _parsed(lambda given: loads(given, _read_flag), datafile)


def _read_flag(document: object) -> Flag:
    known = _known.get(_stored_text(document))
    return flag_from_json(document) if known is None else known


def _stored_text(document: object) -> str:
    """The document's text, if it could be that of a stored flag; else nobody's."""
    try:
        text = to_text(document) if is_object(document) else ""
    except (ValueError, OverflowError, RecursionError):
        return ""
    # The encoder writes a number too large for a float as null, which the parser must see to refuse it.
    return "" if "null" in text else text


def check(ruleset: Ruleset) -> None:
    """Lets a ruleset pass whose parts come from the parser, if it means something.

    Raises:
        Unpublishable: It does not; `details` holds every problem.
        MalformedFlag: It is larger than a datafile may be.
    """
    if len(ruleset.flags) > MOST_FLAGS:
        raise MalformedFlag(f"{len(ruleset.flags)} flags; one environment has at most {MOST_FLAGS}")
    if problems := errors(check_meaning(ruleset)):
        raise Unpublishable(
            _sentence([str(problem) for problem in problems]),
            details=[Detail(problem.where, problem.message) for problem in problems],
        )


def _sentence(problems: list[str]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0]}{more}; nothing has been changed"


def _parsed(parse: Callable[[D], T], document: D) -> T:
    try:
        return parse(document)
    except DatafileError as error:
        raise MalformedFlag(str(error), value=error.path) from error
