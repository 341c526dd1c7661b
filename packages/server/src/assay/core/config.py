"""Settings: the environment over `.env` over `assay.toml`, built once per entry point and passed on."""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from assay.shared.errors import Invalid


def default_data_directory() -> Path:
    """Where data lives unless told otherwise: `/var/lib/assay` for root, else the user's data folder."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/assay")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "assay"


class Settings(BaseSettings):
    """Every setting; `ASSAY_` and the upper-case name in the environment, the plain name in `assay.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="ASSAY_", env_file=".env", toml_file="assay.toml", extra="ignore", frozen=True
    )

    host: str = Field(default="127.0.0.1", description="Address the server listens on.")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port the server listens on; 0 takes a free one."
    )
    root_path: str = Field(
        default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Sub-path a proxy serves Assay under."
    )
    allowed_hosts: str = Field(
        default="",
        description="Host names answered to, separated by commas, `*` for any; "
        "unset means local names when `host` is a loopback address, else any.",
    )
    data_directory: Path = Field(
        default_factory=default_data_directory, description="Folder of the embedded database and all files."
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 15 or newer, `postgresql://user:pw@host/name`; unset runs the embedded one.",
    )
    database_schema: str = Field(
        default="assay", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="Schema that holds Assay's tables."
    )
    database_pool_size: int = Field(default=10, ge=1, le=500, description="Connections kept open.")
    database_pool_max_overflow: int = Field(
        default=10, ge=0, le=500, description="Connections opened beyond the pool."
    )
    database_pool_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Wait for a free connection."
    )
    database_pool_recycle_seconds: int = Field(
        default=1800, ge=1, description="Age at which a connection is renewed."
    )

    worker_enabled: bool = Field(default=True, description="Run background work inside `assay up`.")
    worker_concurrency: int = Field(default=2, ge=1, le=64, description="Tasks a worker runs at once.")
    worker_heartbeat_seconds: float = Field(
        default=2.0, gt=0, description="How often a worker says it is alive."
    )
    worker_stalled_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Silence after which a worker is taken for dead and its tasks begin again.",
    )
    results_refresh_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How old the newest results of a running experiment may get before the worker computes "
        "new ones by itself; 0 computes none.",
    )
    results_timeout_seconds: float = Field(
        default=1800.0,
        gt=0,
        description="How long an analysis may take before it is stopped; it then ends as timed out.",
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, ge=0, description="Time given to requests and tasks on SIGTERM."
    )

    event_max_ahead_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How far a sender's clock may run ahead before its events are refused.",
    )
    event_seal_rows: int = Field(
        default=250_000, ge=1, description="Buffered events that are enough to be sealed into files."
    )
    event_seal_after_seconds: float = Field(
        default=300.0, gt=0, description="Age at which buffered events are sealed however few they are."
    )
    event_tidy_seconds: float = Field(
        default=30.0, gt=0, description="How often the lake is looked through for files to merge or to drop."
    )
    event_retention_days: int = Field(
        default=0, ge=0, description="Days of sealed events that are kept; 0 keeps all."
    )
    lake_url: str | None = Field(
        default=None,
        pattern=r"^(s3://[^/]+(/.*)?|/.+)$",
        description="Where sealed events lie: `s3://bucket/prefix`, with AWS's own variables for access, "
        "or a folder; unset means `lake` in the data directory.",
    )
    event_waiting_limit: int = Field(
        default=100_000,
        ge=1,
        description="Events that may wait for the database; senders beyond are asked to come back (429).",
    )
    event_waiting_bytes: int = Field(
        default=67_108_864,
        ge=1024,
        description="Bytes of event requests that one process holds at a time; likewise.",
    )
    delivery_keys: Literal["auto", "required"] = Field(
        default="auto",
        description="`auto` answers without a key while the server listens on loopback only; "
        "`required` never does, as behind a proxy on the same machine.",
    )
    delivery_rate_per_second: float = Field(
        default=10_000.0,
        ge=0,
        description="Evaluation requests one key may send to one process each second; 0 sets no bound.",
    )
    stream_limit: int = Field(
        default=10_000, ge=0, description="Clients that may follow changes at one process at a time."
    )
    snapshot_poll_seconds: float = Field(
        default=10.0, gt=0, description="How often served rules are compared with the database, to be sure."
    )
    snapshot_poll_alone_seconds: float = Field(
        default=2.0, gt=0, description="The same while the database cannot tell of changes by itself."
    )
    evaluation_flush_seconds: float = Field(
        default=5.0, gt=0, description="How often counted evaluations and exposures are written."
    )
    max_body_bytes: int = Field(default=2_097_152, ge=1024, description="Largest request body.")
    max_import_bytes: int = Field(
        default=33_554_432, ge=1024, description="Largest body of a whole ruleset that is imported."
    )

    source_roots: str = Field(
        default="",
        description="Folders that connections may read files from, separated by commas; empty allows none. "
        "`assay analyze`, `assay source inspect` and notebooks read what their user can.",
    )
    source_check_seconds: float = Field(
        default=20.0, gt=0, description="How long a look at a table may take while somebody waits."
    )
    source_timeout_seconds: float = Field(
        default=300.0, gt=0, description="How long a query on a table may run before it is stopped."
    )
    source_max_scan_bytes: int = Field(
        default=107_374_182_400,
        ge=0,
        description="Most bytes a query on a table may scan, where the engine tells; 0 sets no bound.",
    )
    source_max_fetch_rows: int = Field(
        default=20_000_000,
        ge=0,
        description="Most rows of one table that an analysis may bring into memory; 0 sets no bound.",
    )

    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe line kept."
    )

    @property
    def delivers_without_key(self) -> bool:
        """Whether this is open local mode: nobody but this machine can ask, so nobody needs a key."""
        return self.delivery_keys == "auto" and is_loopback(self.host)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then `.env`, then `assay.toml`."""
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class InvalidSettings(Invalid):
    """A setting has a value that cannot be used."""

    code = "invalid_settings"


def load_settings(**overrides: object) -> Settings:
    """Settings for this process.

    Raises:
        InvalidSettings: A value is wrong; the message names the setting, not the value of a secret.
    """
    _require_known_names(Path("assay.toml"))
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # pyright: ignore[reportArgumentType]  # checked by Pydantic
    except ValidationError as error:
        raise InvalidSettings("\n".join(_sentence(detail) for detail in error.errors())) from None


def _require_known_names(file: Path) -> None:
    # The class ignores strangers, because `.env` may hold other programs' variables; our own file may not.
    if not file.is_file():
        return
    try:
        names = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} cannot be read: {error}") from error
    if strange := sorted(set(names) - set(Settings.model_fields)):
        raise InvalidSettings(
            f"{file} has {strange[0]!r}, which is not a setting; see docs/reference/settings.md"
        )


def _sentence(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "settings"
    shown = "" if name == "database_url" else f" ({detail['input']!r})"
    return f"setting {name}{shown}: {detail['msg']}; set ASSAY_{name.upper()} or mend assay.toml"
