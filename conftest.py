"""What holds for every suite of the workspace."""

from hypothesis import settings

# A busy machine is not a slow law: pytest's own timeout bounds a test as a whole.
settings.register_profile("assay", deadline=None)
settings.load_profile("assay")
