import re
from time import thread_time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay_engine.rules.patterns import LONGEST_SUBJECT, UnsafePattern, compile_pattern

SAFE = [
    "", "abc", "^abc$", "a|b|cd", "^[a-z]+@(gmail|googlemail)\\.com$", ".*foo", "^.*foo.*bar",
    "^\\d{1,3}(\\.\\d{1,3}){3}$", "(ab|cd)*", "^(mon|tue|wed|thu)$", "\\bfoo\\b", "[^@]+@example\\.com$",
    "^.+@.+$", "^[\\w.]+@[\\w.]+\\.\\w+$", "colou?r", "https?://", "a{3}b{2,}", "[\\d\\-_]+", "ü+x",
]  # fmt: skip
UNSAFE = [
    "(a+)+$", "(a|a)*b", "(a|ab)*c", "(.*)*", "(x+x+)+y", ".*foo.*bar", "^.*a.*b.*c", "a?a?a?a?a?aaaaa",
    "(\\w+\\s?)+$", "(?:a{1,20}){1,20}", "(a*b)?a*", "(.*a){2}", "(a)\\1", "(?=a)b", "(?<=a)b", "(?i)a",
    "(?P<n>a)", "a++", "(?>a)", "a{,3}", "a{3,1}", "a{2000}", "(", ")", "[", "[]", "[z-a]", "*a", "a**",
    "^*", "\\", "\\p", "{", "}", "[[a]]", "a" * 300, "(" * 30 + ")" * 30,
]  # fmt: skip


@pytest.mark.parametrize("pattern", SAFE)
def test_ordinary_patterns_are_accepted(pattern: str) -> None:
    assert compile_pattern(pattern).flags & re.ASCII


@pytest.mark.parametrize("pattern", UNSAFE)
def test_patterns_that_may_blow_up_or_are_not_portable_are_refused(pattern: str) -> None:
    with pytest.raises(UnsafePattern):
        compile_pattern(pattern)


def test_a_refusal_says_where_and_what_to_do() -> None:
    with pytest.raises(UnsafePattern, match=r"'\[\^a\]\*a\.\*b'"):
        compile_pattern(".*a.*b")
    with pytest.raises(UnsafePattern, match="write"):
        compile_pattern("a}")


@given(st.sampled_from(SAFE), st.text("ab@.fo1 \n", max_size=12))
def test_an_accepted_pattern_means_what_python_means(pattern: str, text: str) -> None:
    expected = re.search(re.sub(r"\$$", r"\\Z", pattern), text, re.ASCII)

    assert bool(compile_pattern(pattern).search(text)) is bool(expected)


def test_a_dollar_is_the_very_end() -> None:
    assert compile_pattern("a$").search("a\n") is None


def test_case_is_ascii() -> None:
    folded = compile_pattern("^[a-f]K$", ignore_case=True)

    assert folded.search("Bk")
    assert not folded.search("b\u212a")  # the Kelvin sign


PIECES = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab|c)", "(a+b)", "(a|ab)", "\\w"])
QUANTIFIERS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{0,40}", "{2,}"])
PARTS = st.lists(st.tuples(PIECES, QUANTIFIERS).map("".join), min_size=1, max_size=6).map("".join)
PATTERNS = st.tuples(st.sampled_from(["", "^"]), PARTS, st.sampled_from(["", "$", "z"])).map("".join)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, st.sampled_from(["a", "ab", "aab", "ba", "b"]))
def test_whatever_is_accepted_ends_soon_on_hostile_text(pattern: str, unit: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except UnsafePattern:
        assume(False)
        return
    hostile = (unit * LONGEST_SUBJECT)[: LONGEST_SUBJECT - 1] + "!"

    started = thread_time()
    compiled.search(hostile)

    # An exponential pattern would run for hours; a quadratic one takes milliseconds.
    assert thread_time() - started < 2
