"""Words to find a flag by: of its key, owner, description and tags, and of what somebody types."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")


def words(texts: Iterable[str]) -> str:
    """The words of the texts; `new_checkout.v2` is three."""
    return " ".join(_WORD.findall(" ".join(texts).lower()))


def query(typed: str) -> str | None:
    """PostgreSQL's query for texts with a word beginning with each one typed; None when none was."""
    # Letters and digits alone, so that nothing typed is an operator of the query.
    return " & ".join(f"'{word}':*" for word in _WORD.findall(typed.lower())) or None
