"""The way in, as `assay` and as `python -m assay`: so small that little can happen before it is on guard."""

import sys

INTERRUPTED = 130


def run() -> None:
    """Runs the command line; whoever interrupts it, even while it is loading, sees no traceback."""
    try:
        from assay.cli import run as run_command  # noqa: PLC0415 — loading takes a while, and is interrupted too

        run_command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run()
