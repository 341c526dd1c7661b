"""Frozen dataclasses that are quick to make: a ruleset has tens of thousands of them."""

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A frozen, slotted dataclass that fills its slots directly.

    The `__init__` that dataclasses write for a frozen class looks every field up by name to get past the
    class's own refusal, which takes half of the time of making an object.
    """
    made = dataclass(frozen=True, slots=True)(cls)
    made.__init__ = _filling_slots(made)
    return made


@contextmanager
def without_collecting() -> Generator[None]:
    """Lets the cyclic garbage collector rest, whose passes over a growing ruleset find nothing to free.

    Of the time in which 5,000 flags are loaded it takes a third. Should two threads rest at once, the first
    to finish ends it for both, which costs the other what it would have cost anyway.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _filling_slots(cls: Any) -> Callable[..., None]:  # noqa: ANN401 — any dataclass, whose fields only `fields` knows
    own = fields(cls)
    known: dict[str, Any] = {"MISSING": MISSING}
    for each in own:
        known |= {
            f"set_{each.name}": getattr(cls, each.name).__set__,
            f"default_{each.name}": each.default,
            f"make_{each.name}": each.default_factory,
        }
    parameters = ", ".join(_parameter(each) for each in own)
    steps = "".join(f"\n set_{each.name}(self, {_value(each)})" for each in own)
    exec(f"def __init__(self, {parameters}):{steps}", known)  # noqa: S102 — our own fields' names, as dataclasses do it
    init = known["__init__"]
    init.__qualname__, init.__annotations__ = f"{cls.__qualname__}.__init__", cls.__init__.__annotations__
    return init


def _parameter(each: Field[Any]) -> str:
    if each.default is not MISSING:
        return f"{each.name}=default_{each.name}"
    return each.name if each.default_factory is MISSING else f"{each.name}=MISSING"


def _value(each: Field[Any]) -> str:
    made = f"make_{each.name}() if {each.name} is MISSING else {each.name}"
    return each.name if each.default_factory is MISSING else made
