"""From a definition to an engine, with the failures of foreign libraries turned into one sentence."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from assay.shared.errors import AssayError
from assay.sources.connections import EXTRAS, Definition, DuckDB, Files, PostgreSQL, Spark
from assay.sources.engines.base import Engine
from assay.sources.errors import ConnectionFailed, MissingExtra, QueryFailed
from assay.sources.places import Allowed
from assay.sources.secrets import known_secrets, resolved, scrubbed

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Means:
    """What opening a connection may use: which folders, which environment, how long a query may run."""

    allowed: Allowed
    timeout_seconds: float
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@contextmanager
def opened(definition: Definition, means: Means) -> Generator[Engine, None, None]:
    """An engine until the block ends; what fails inside it is one sentence without any secret.

    Raises:
        MissingExtra, MissingSecret, PlaceNotAllowed: It cannot be opened as things are.
        ConnectionFailed: The other side refuses.
        QueryFailed: The engine could not do what the block asked.
    """
    secrets = known_secrets(definition, means.environment)
    _require_extra(definition)
    try:
        engine = _open(definition, means)
    except AssayError:
        raise
    except Exception as error:
        # Every engine's library fails in its own way; all that matters here is what it says.
        raise ConnectionFailed(
            f"the {definition.kind} connection cannot be opened: {_reason(error, secrets)}"
        ) from error
    try:
        yield engine
    except AssayError:
        raise
    except Exception as error:
        raise QueryFailed(f"{definition.kind} says: {_reason(error, secrets)}") from error
    finally:
        engine.close()


def _open(definition: Definition, means: Means) -> Engine:
    # Each engine's library is loaded by its first connection.
    match definition:
        case Files() | DuckDB():
            from assay.sources.engines import duck  # noqa: PLC0415

            kind = duck.FileEngine if isinstance(definition, Files) else duck.DuckDBEngine
            return kind.opened(definition, means.allowed)  # pyright: ignore[reportArgumentType]  # chosen by the definition
        case PostgreSQL():
            from assay.sources.engines.postgres import PostgreSQLEngine  # noqa: PLC0415

            if definition.host.startswith("/"):
                # A socket trusts whoever this process is.
                means.allowed.require(Path(definition.host))
            password = resolved(definition.password, means.environment)
            return PostgreSQLEngine.opened(definition, password, timeout_seconds=means.timeout_seconds)
        case Spark():
            from assay.sources.engines.spark import SparkEngine  # noqa: PLC0415

            return SparkEngine.opened(definition, means.allowed)
        case _:
            from assay.sources.engines.warehouses import open_warehouse  # noqa: PLC0415

            return open_warehouse(definition, means.environment)


def _require_extra(definition: Definition) -> None:
    module = EXTRAS.get(definition.kind)
    if module is not None and not _is_installed(module):
        raise MissingExtra(
            f"a connection of kind {definition.kind} needs a library that is not installed; "
            f"install it with: python3 -m pip install 'assay[{definition.kind}]'",
            value=definition.kind,
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _reason(error: Exception, secrets: list[str]) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return scrubbed(lines[0] if lines else type(error).__name__, secrets)[:LONGEST_REASON]
