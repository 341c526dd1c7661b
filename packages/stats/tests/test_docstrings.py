"""Every public docstring says what goes in, what comes out, what is refused, and where the method is from."""

import dataclasses
import inspect
import re
from typing import Any, get_type_hints

import pytest

import assay_stats
from assay_stats import calibration
from assay_stats.results import Result

PUBLIC: dict[str, Any] = {
    name: getattr(module, name) for module in (assay_stats, calibration) for name in module.__all__
}
FUNCTIONS = [name for name, what in PUBLIC.items() if inspect.isfunction(what)]
CLASSES = [name for name, what in PUBLIC.items() if inspect.isclass(what)]
RECORDS = [name for name, what in PUBLIC.items() if dataclasses.is_dataclass(what)]
# They select, join or bound values; there is no method to be from anywhere.
WITHOUT_SOURCE = {"claims_about", "mean_of", "mean_statistic", "remaining", "run", "stacked", "winsorised"}


def sections(name: str) -> dict[str, str]:
    """The parts of a docstring by their headings; the text before the first is under ''."""
    text = inspect.getdoc(PUBLIC[name]) or ""
    parts = re.split(r"^(Args|Attributes|Returns|Raises|Source):", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def entries(section: str) -> set[str]:
    """The names that a section explains."""
    return set(re.findall(r"^    (\w+):", section, flags=re.MULTILINE))


def own_fields(record: type) -> set[str]:
    """Fields that a record does not inherit."""
    return set(inspect.get_annotations(record)) - {"reason_codes"}


@pytest.mark.parametrize("name", CLASSES + FUNCTIONS)
def test_a_class_or_function_has_words_of_its_own(name: str) -> None:
    words = PUBLIC[name].__doc__

    assert words
    assert not words.startswith(f"{name}(")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_explains_every_argument(name: str) -> None:
    arguments = set(inspect.signature(PUBLIC[name]).parameters)

    assert entries(sections(name).get("Args", "")) == arguments


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_returns_unless_its_result_does(name: str) -> None:
    returned = get_type_hints(PUBLIC[name])["return"]
    explains_itself = inspect.isclass(returned) and dataclasses.is_dataclass(returned)

    assert explains_itself or "Returns" in sections(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_refuses_arguments_says_so(name: str) -> None:
    refuses = re.search(r"\braise |\bchecked_\w+\(|complete_values\(", inspect.getsource(PUBLIC[name]))

    assert not refuses or "ValueError" in sections(name).get("Raises", "")


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - WITHOUT_SOURCE))
def test_a_method_names_its_source_or_what_it_was_checked_against(name: str) -> None:
    assert "Source" in sections(name)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_explains_every_field_of_its_own(name: str) -> None:
    record = PUBLIC[name]
    explained = entries(sections(name).get("Attributes", ""))

    assert own_fields(record) <= explained
    if issubclass(record, Result):
        assert explained <= {field.name for field in dataclasses.fields(record)}
