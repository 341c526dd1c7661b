"""`assay up`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from assay import __version__
from assay.cli.console import err
from assay.cli.serving import serving
from assay.core.config import Settings, load_settings
from assay.core.logging import configure_logging


def up(*, host: str | None, port: int | None, data_directory: Path | None) -> None:
    """Runs until a signal stops it."""
    settings = load_settings(host=host, port=port, data_directory=data_directory)
    configure_logging(settings, sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    # What uvicorn is told of loops counts only where it makes its own, and here it runs beside the database.
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


async def _serve(settings: Settings) -> None:
    async with serving(settings) as running:
        where = "your PostgreSQL" if settings.database_url else str(settings.data_directory)
        err.print(f"Assay {__version__} answers at [bold]{running.url}[/] — data in {where}, Ctrl-C stops it")
        await running.finished
