"""The experimentation platform."""

__version__: str


def __getattr__(name: str) -> str:
    # Reading it takes longer than all else that happens before the command line is on guard against Ctrl-C.
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("assay")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
