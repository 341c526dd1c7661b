r"""Regular expressions that cannot blow up: a pattern whose matching could take long is refused when saved.

Python's `re` backtracks: its time grows with the number of ways in which a pattern can read one text. A
pattern is accepted when the next character decides every choice (which branch, one more repetition or on),
save for a few small choices and long repetitions. Matching then takes O(n²) steps at most.
The syntax is what Python, JavaScript and RE2 share; classes and case are ASCII's, `$` is the very end.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

LONGEST_PATTERN = 256
LONGEST_SUBJECT = 512

_MOST_WAYS = 16
_MOST_DEGREE = 2
_MOST_REPEATS = 1000
_DEEPEST = 20
_ASCII = frozenset(range(128))
_DIGITS = frozenset(map(ord, "0123456789"))
_WORD = _DIGITS | frozenset(map(ord, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"))
_SPACE = frozenset(map(ord, " \t\n\r\f\v"))
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_COUNT = re.compile(r"\{(\d{1,4})(,(\d{1,4})?)?\}", re.ASCII)
_SPECIAL = frozenset(".^$*+?{}[]()|\\")


class UnsafePattern(ValueError):
    """A pattern outside the shared syntax, or one whose matching could take too long."""


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of characters: those listed, and every one beyond ASCII when `others`."""

    listed: frozenset[int] = frozenset()
    others: bool = False

    def __or__(self, more: "Characters") -> "Characters":
        return Characters(self.listed | more.listed, self.others or more.others)

    def overlaps(self, more: "Characters") -> bool:
        """Whether one character may belong to both; two sets beyond ASCII are taken to."""
        return bool(
            self.listed & more.listed
            or (self.others and more.reaches_beyond_ascii)
            or (more.others and self.reaches_beyond_ascii)
        )

    @property
    def reaches_beyond_ascii(self) -> bool:
        """Whether a character beyond ASCII belongs to the set."""
        return self.others or not self.listed <= _ASCII

    def inverted(self) -> "Characters":
        """Every other character; beyond ASCII, possibly more."""
        return Characters(_ASCII - self.listed, others=True)

    def with_both_cases(self) -> "Characters":
        """The set and the other case of its ASCII letters."""
        letters = "".join(chr(code) for code in self.listed & _ASCII)
        return self | Characters(frozenset(map(ord, letters.swapcase())))


@dataclass(frozen=True, slots=True)
class _One:
    characters: Characters
    source: str


@dataclass(frozen=True, slots=True)
class _Anchor:
    source: str


@dataclass(frozen=True, slots=True)
class _Chain:
    parts: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Choice:
    branches: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    body: "_Node"
    least: int
    most: int | None
    lazy: bool

    @property
    def is_long(self) -> bool:
        return self.most is None or self.most > _MOST_WAYS


_Node: TypeAlias = _One | _Anchor | _Chain | _Choice | _Repeat


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """The compiled pattern.

    Raises:
        UnsafePattern: It is outside the shared syntax, too long, or could take long to match.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise UnsafePattern(f"it has {len(pattern)} characters; at most {LONGEST_PATTERN} are allowed")
    node = _Parser(pattern, ignore_case=ignore_case).parse()
    _refuse_explosion(node)
    return re.compile(_source(node), re.ASCII | (re.IGNORECASE if ignore_case else re.NOFLAG))


class _Parser:
    """A recursive-descent parser of the shared syntax; each method's docstring is its production."""

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._ignore_case = ignore_case

    def parse(self) -> _Node:
        """Pattern = choice end."""
        node = self._choice()
        if self._at < len(self._text):
            raise self._error("an unmatched ')'; write '\\)' for the character")
        return node

    def _choice(self) -> _Node:
        """Choice = chain { "|" chain }."""
        branches = [self._chain()]
        while self._accept("|"):
            branches.append(self._chain())
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def _chain(self) -> _Node:
        """Chain = { atom [ quantifier ] }."""
        parts: list[_Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._quantified(self._atom()))
        return _Chain(tuple(parts))

    def _quantified(self, body: _Node) -> _Node:
        """Quantifier = ( "*" | "+" | "?" | "{" n [ "," [ m ] ] "}" ) [ "?" ]."""
        count = self._count()
        if count is None:
            return body
        if isinstance(body, _Anchor):
            raise self._error("a repeated anchor")
        lazy = self._accept("?")
        if self._peek() in {"*", "+", "{"}:
            raise self._error("a quantifier after a quantifier")
        return _Repeat(body, *count, lazy=lazy)

    def _count(self) -> tuple[int, int | None] | None:
        for sign, count in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return count
        if self._peek() != "{":
            return None
        found = _COUNT.match(self._text, self._at)
        if found is None:
            raise self._error("a '{' that is no count; write '\\{' for the character")
        self._at = found.end()
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise self._error(f"the count {found[0]}; counts rise and end at {_MOST_REPEATS}")
        return least, most

    def _atom(self) -> _Node:  # noqa: PLR0911 — a return for each kind of atom
        r"""Atom = "." | "^" | "$" | "(" [ "?:" ] choice ")" | "[" class "]" | "\" escape | literal."""
        sign = self._next()
        match sign:
            case ".":
                return _One(Characters(_ASCII - {10}, others=True), ".")
            case "^":
                return _Anchor("^")
            case "$":
                return _Anchor(r"\Z")
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case _ if sign in _SPECIAL:
                raise self._error(f"{sign!r} where it has no meaning; write '\\{sign}' for the character")
            case _:
                return self._literal(sign)

    def _group(self) -> _Node:
        if self._accept("?") and not self._accept(":"):
            raise self._error("a '(?' group; only '(...)' and '(?:...)' are allowed")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"groups nested deeper than {_DEEPEST}")
        node = self._choice()
        if not self._accept(")"):
            raise self._error("a '(' without its ')'")
        self._depth -= 1
        return node

    def _escape(self) -> _Node:
        r"""Escape = one of dDwWsS (a class) | bB (an anchor) | tnrfv (a control) | punctuation."""
        sign = self._next()
        if sign in {"b", "B"}:
            return _Anchor("\\" + sign)
        family = _family(sign)
        return _One(family, "\\" + sign) if family else self._literal(self._escaped(sign))

    def _class(self) -> _Node:
        r"""Class = [ "^" ] ( "\" escape | character [ "-" character ] ) { ... }."""
        inverted = self._accept("^")
        listed, source = Characters(), ""
        while not self._accept("]"):
            characters, written = self._class_item()
            listed, source = listed | characters, source + written
        if not source:
            raise self._error("an empty class '[]'")
        if self._ignore_case:
            listed = listed.with_both_cases()
        return _One(listed.inverted() if inverted else listed, f"[{'^' if inverted else ''}{source}]")

    def _class_item(self) -> tuple[Characters, str]:
        sign = self._next()
        if sign == "[":
            raise self._error("a '[' inside a class; write '\\[' for the character")
        if sign == "\\":
            sign = self._next()
            if family := _family(sign):
                return family, "\\" + sign
            sign = self._escaped(sign)
        if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in {"", "]"}:
            return self._range(sign)
        return Characters(frozenset({ord(sign)})), re.escape(sign)

    def _range(self, low: str) -> tuple[Characters, str]:
        self._next()
        high = self._next()
        if high == "\\":
            high = self._escaped(self._next())
        if high == "[" or high < low:
            raise self._error(f"the range {low}-{high}")
        codes = frozenset(range(ord(low), min(ord(high), 127) + 1)) | {ord(low), ord(high)}
        return Characters(codes, others=not high.isascii()), f"{re.escape(low)}-{re.escape(high)}"

    def _escaped(self, sign: str) -> str:
        if sign in _CONTROLS:
            return _CONTROLS[sign]
        if sign.isascii() and not sign.isalnum() and sign.isprintable():
            return sign
        raise self._error(f"the escape '\\{sign}' (back-references and look-around are not allowed either)")

    def _literal(self, sign: str) -> _Node:
        characters = Characters(frozenset({ord(sign)}))
        return _One(characters.with_both_cases() if self._ignore_case else characters, re.escape(sign))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        sign = self._peek()
        if not sign:
            raise self._error("an end in the middle of a group, class or escape")
        self._at += 1
        return sign

    def _accept(self, sign: str) -> bool:
        found = self._peek() == sign
        self._at += found
        return found

    def _error(self, what: str) -> UnsafePattern:
        return UnsafePattern(f"{what}, at character {self._at} of {self._text!r}")


def _family(sign: str) -> Characters | None:
    family = {"d": _DIGITS, "w": _WORD, "s": _SPACE}.get(sign.lower())
    if family is None:
        return None
    return Characters(family) if sign.islower() else Characters(family).inverted()


def _source(node: _Node) -> str:
    match node:
        case _One() | _Anchor():
            return node.source
        case _Chain():
            return "".join(_source(part) for part in node.parts)
        case _Choice():
            return f"(?:{'|'.join(_source(branch) for branch in node.branches)})"
        case _Repeat():
            most = "" if node.most is None else node.most
            return f"(?:{_source(node.body)}){{{node.least},{most}}}{'?' if node.lazy else ''}"


@dataclass(frozen=True, slots=True)
class _Effort:
    """How a part reads text of n characters from one start.

    `ways` counts its small choices, `degree` is the exponent of n, and `open_choice` says whether a long
    repetition's end is uncertain, so that all that follows may be tried n times.
    """

    ways: int = 1
    degree: int = 0
    open_choice: bool = False

    def then(self, after: "_Effort") -> "_Effort":
        repeated = self.degree + after.degree
        return _Effort(
            _bounded(self.ways * after.ways),
            degree=repeated if self.open_choice else max(self.degree, after.degree),
            open_choice=self.open_choice or after.open_choice,
        )


def _bounded(ways: int) -> int:
    if ways > _MOST_WAYS:
        raise UnsafePattern(
            f"it could be read in more than {_MOST_WAYS} ways; "
            "make neighbouring repetitions and branches start with different characters"
        )
    return ways


def _refuse_explosion(node: _Node) -> None:
    # A search tries every start; a pattern held to the beginning has one.
    starts = 0 if _is_anchored(node) else 1
    if _effort(node, Characters()).degree + starts > _MOST_DEGREE:
        raise UnsafePattern(
            "a long repetition follows another whose end is uncertain (as in '.*a.*b'); "
            "start with '^', or say what the first may hold (as in '[^a]*a.*b')"
        )


def _is_anchored(node: _Node) -> bool:
    match node:
        case _Anchor():
            return node.source == "^"
        case _Chain():
            return bool(node.parts) and _is_anchored(node.parts[0])
        case _Choice():
            return all(_is_anchored(branch) for branch in node.branches)
        case _:
            return False


def _effort(node: _Node, follow: Characters) -> _Effort:
    match node:
        case _One() | _Anchor():
            return _Effort()
        case _Chain():
            return _effort_of_chain(node.parts, follow)
        case _Choice():
            return _effort_of_choice(node.branches, follow)
        case _Repeat():
            return _effort_of_repeat(node, follow)


def _effort_of_chain(parts: Sequence[_Node], follow: Characters) -> _Effort:
    total = _Effort()
    for part in reversed(parts):
        total = _effort(part, follow).then(total)
        follow = _first(part) | follow if _is_nullable(part) else _first(part)
    return total


def _effort_of_choice(branches: Sequence[_Node], follow: Characters) -> _Effort:
    starts = [_first(branch) | follow if _is_nullable(branch) else _first(branch) for branch in branches]
    efforts = [_effort(branch, follow) for branch in branches]
    overlapping = max(sum(start.overlaps(other) for other in starts) for start in starts)
    empty = sum(_is_nullable(branch) for branch in branches)
    return _Effort(
        _bounded(max(effort.ways for effort in efforts) * max(overlapping, empty, 1)),
        degree=max(effort.degree for effort in efforts),
        open_choice=any(effort.open_choice for effort in efforts),
    )


def _effort_of_repeat(repeat: _Repeat, follow: Characters) -> _Effort:
    if _is_nullable(repeat.body):
        raise UnsafePattern(f"what '{_source(repeat)}' repeats may be empty")
    first = _first(repeat.body)
    body = _effort(repeat.body, first | follow)
    if repeat.most == repeat.least:
        return _repeated_exactly(body, repeat)
    if body.open_choice and repeat.most != 1:
        raise UnsafePattern(f"what '{_source(repeat)}' repeats has an uncertain end")
    if repeat.is_long and body.ways > 1:
        raise UnsafePattern(f"what '{_source(repeat)}' repeats can be read in several ways")
    uncertain = first.overlaps(follow)
    if uncertain and (repeat.is_long or body.degree):
        return _Effort(body.ways, degree=max(body.degree, 1), open_choice=True)
    if repeat.is_long:
        return _Effort(degree=max(body.degree, 1))
    most = repeat.most or 0
    ways = body.ways**most * (most - repeat.least + 1 if uncertain else 1)
    return _Effort(_bounded(ways), degree=body.degree, open_choice=body.open_choice)


def _repeated_exactly(body: _Effort, repeat: _Repeat) -> _Effort:
    if body.open_choice and repeat.least > 1:
        raise UnsafePattern(f"what '{_source(repeat)}' repeats has an uncertain end")
    if body.ways > 1 and repeat.is_long:
        raise UnsafePattern(f"what '{_source(repeat)}' repeats can be read in several ways")
    ways = body.ways**repeat.least if body.ways > 1 else 1
    return _Effort(_bounded(ways), degree=max(body.degree, int(repeat.is_long)), open_choice=body.open_choice)


def _is_nullable(node: _Node) -> bool:
    match node:
        case _One():
            return False
        case _Anchor():
            return True
        case _Chain():
            return all(_is_nullable(part) for part in node.parts)
        case _Choice():
            return any(_is_nullable(branch) for branch in node.branches)
        case _Repeat():
            return node.least == 0 or _is_nullable(node.body)


def _first(node: _Node) -> Characters:
    match node:
        case _One():
            return node.characters
        case _Anchor():
            return Characters()
        case _Chain():
            return _first_of_chain(node.parts)
        case _Choice():
            return _union(_first(branch) for branch in node.branches)
        case _Repeat():
            return _first(node.body)


def _first_of_chain(parts: Sequence[_Node]) -> Characters:
    first = Characters()
    for part in parts:
        first |= _first(part)
        if not _is_nullable(part):
            break
    return first


def _union(sets: Iterable[Characters]) -> Characters:
    total = Characters()
    for characters in sets:
        total |= characters
    return total
