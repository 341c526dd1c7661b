"""What of a ruleset rests on earlier assignments, and which of them a context needs; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay_engine import Context, Flag, Ruleset
from assay_engine.bucketing import unit_text
from assay_engine.model import AttributePath, Split
from assay_engine.rules.answers import assigned_in, assignment_key
from assay_engine.rules.operators import read

LONGEST_UNIT = 200

Place = tuple[str, str]
"""An experiment and a unit."""
Known = Mapping[Place, Mapping[int, str]]
"""The variant by version, of each place that has one."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """A sticky split's wish to know: under which name, of which unit, and of which versions.

    Attributes:
        version: The one whose variant is kept.
        minimum: Whoever was assigned under a version below it is left out.
    """

    experiment: str
    unit: AttributePath
    version: int
    minimum: int

    def place_of(self, context: Context) -> Place | None:
        """Whose assignment the context needs; None without a unit that can have one."""
        unit = unit_of(context, self.unit)
        return None if unit is None else (self.experiment, unit)

    def is_settled_by(self, versions: Mapping[int, str]) -> bool:
        """Whether no assignment that comes later can change what these say."""
        return self.version in versions or any(version < self.minimum for version in versions)


def keepings_of(flag: Flag) -> Iterator[Keeping]:
    """What the sticky splits of a flag's rules want to know."""
    for rule in flag.rules:
        split = rule.serve
        if isinstance(split, Split) and split.sticky is not None and (name := assigned_in(split)):
            yield Keeping(name, split.bucketing.unit, split.sticky.version, split.sticky.minimum)


def all_keepings(*rulesets: Ruleset) -> tuple[Keeping, ...]:
    """What all sticky splits of some rulesets want to know, each once."""
    found = {each: None for ruleset in rulesets for flag in ruleset.flags for each in keepings_of(flag)}
    return tuple(found)


def unit_of(context: Context, path: AttributePath) -> str | None:
    """The unit as it is hashed, and as events name it; None for what is none."""
    unit = unit_text(read(path, context.values))
    return unit if unit is not None and len(unit) <= LONGEST_UNIT else None


def path_name(path: AttributePath) -> str:
    """The kind of unit that events name an attribute by."""
    return ".".join(path)


def places_of(keepings: Sequence[Keeping], contexts: Sequence[Context]) -> set[Place]:
    """Whose assignments some contexts need."""
    found = (keeping.place_of(context) for context in contexts for keeping in keepings)
    return {place for place in found if place is not None}


def with_known(context: Context, keepings: Sequence[Keeping], known: Known) -> Context:
    """The context with the assignments of its units."""
    assignments = {
        assignment_key(place[0], version): variant
        for keeping in keepings
        if (place := keeping.place_of(context)) is not None
        for version, variant in known.get(place, {}).items()
    }
    return Context.from_json(context.values, assignments=assignments) if assignments else context
