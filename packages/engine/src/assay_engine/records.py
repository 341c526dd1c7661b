"""Values that are quick to make: a ruleset has tens of thousands of them."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """A value that is never changed; `msgspec.structs.replace` makes another.

    The collector does not look at it: what it holds was there before it, so nothing leads back to it.
    """


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
