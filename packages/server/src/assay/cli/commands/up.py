"""`assay up`."""

import asyncio
import sys
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
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with serving(settings) as running:
        where = "your PostgreSQL" if settings.database_url else str(settings.data_directory)
        err.print(f"Assay {__version__} answers at [bold]{running.url}[/] — data in {where}, Ctrl-C stops it")
        await running.finished
