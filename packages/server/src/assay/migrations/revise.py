"""`python -m assay.migrations.revise MESSAGE` writes a migration for what the models say beyond the last."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from assay import migrations
from assay.core import embedded
from assay.core.database import connection_arguments, sqlalchemy_url

SCHEMA = "assay"


def revise(message: str, url: str) -> None:
    """Writes the migration, comparing the models with an empty database brought to the newest revision."""
    migrations.upgrade(url, schema=SCHEMA)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(sqlalchemy_url(url), connect_args=connection_arguments(SCHEMA))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=_next_number(config))
    engine.dispose()


def _next_number(config: Config) -> str:
    folder = Path(config.get_main_option("script_location") or "") / "versions"
    numbers = [int(path.name.partition("_")[0]) for path in folder.glob("[0-9]*_*.py")]
    return f"{max(numbers, default=0) + 1:04}"


def main() -> None:
    """Entry point."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit("say what changes, such as: task db:revision -- archive metrics")
    with (
        tempfile.TemporaryDirectory(prefix="assay-") as folder,
        embedded.start(Path(folder), durable=False, note="a migration being written") as postgres,
    ):
        revise(message, postgres.url)


if __name__ == "__main__":
    main()
