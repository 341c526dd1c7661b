"""What holds for every suite of the workspace."""

import gc

import pytest
from hypothesis import settings

STARTING_PROCESSES = {"journeys", "reliability", "cli"}

# A busy machine is not a slow law: pytest's own timeout bounds a test as a whole.
settings.register_profile("assay", deadline=None)
settings.load_profile("assay")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what starts processes: it takes longest, and what is begun last is waited for.

    Side by side these tests also stay with one worker, which alone loads what such processes are forked from.
    """
    items.sort(key=lambda item: not STARTING_PROCESSES & set(item.path.parts))


def pytest_collection_finish() -> None:
    """Spares the collector what stays for the whole run; looking through it took a tenth of all time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Gives it back: some libraries look at the end for what was never collected."""
    gc.unfreeze()
