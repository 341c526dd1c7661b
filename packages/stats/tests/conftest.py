"""What all tests of the statistics share."""

from hypothesis import settings

# The first call loads scipy.special, so a deadline per example would fail whichever law runs first.
settings.register_profile("assay_stats", deadline=None)
settings.load_profile("assay_stats")
