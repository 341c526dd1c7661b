"""The files of a PostgreSQL cluster: made aside, then renamed, so that it exists whole or not at all.

Role, password and database are written in single-user mode. No superuser can ever connect, nobody is
trusted at any moment, and no password appears in an argument or an environment.
"""

import base64
import errno
import hashlib
import hmac
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from assay.core.embedded.account import Account
from assay.core.embedded.binaries import MAJOR_VERSION, Installation
from assay.core.embedded.errors import (
    MAKE_ROOM,
    USE_YOUR_OWN,
    DataDirectoryUnusable,
    DiskFull,
    EmbeddedPostgresError,
    StartFailed,
    WrongMajorVersion,
)
from assay.core.embedded.layout import PORT, Layout, make_server_folder, write_file

ROLE = "assay"
DATABASE = "assay"
# Nothing of Assay's own environment, secrets least of all, reaches a process of another user.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
# RFC 7677 asks for at least 4096; more would only slow connections down, the password being 256 random bits.
_SCRAM_ITERATIONS = 4096
LAST_WORDS_LINES = 12
# PostgreSQL's tools speak the language of LC_ALL=C; a write cut short carries only the hint.
_WORDS_OF_A_FULL_DISK = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "Check free disk space")


def ensure_cluster(layout: Layout, installation: Installation, account: Account, *, durable: bool) -> str:
    """Make the cluster unless it is there, and return the password of its role.

    Raises:
        WrongMajorVersion: It is there, from another major version.
        DataDirectoryUnusable: Something else is in its place.
        StartFailed, DiskFull: PostgreSQL's tools failed.
    """
    _remove_unfinished(layout)
    if not _exists(layout.cluster):
        return _create(layout, installation, account, durable=durable)
    _require_same_major(layout.cluster)
    return _read_password(layout) or _reset_password(layout, installation, account)


def scram_verifier(password: str, *, salt: bytes, iterations: int = _SCRAM_ITERATIONS) -> str:
    """What PostgreSQL stores instead of an ASCII password.

    Source: RFC 5802 section 3 and RFC 7677; the format is that of `pg_authid.rolpassword`.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored_key = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def write_settings(layout: Layout, account: Account, socket_folder: Path, *, durable: bool) -> None:
    """Write the settings and the client rules of this version of Assay."""
    lines = [
        f"{name} = {_quoted(value)}"
        for name, value in _settings(layout, socket_folder, durable=durable).items()
    ]
    write_file(layout.configuration, "\n".join([*lines, ""]), readers=account)
    write_file(layout.client_rules, f"local all {ROLE} scram-sha-256\n", readers=account)


def cluster_name(layout: Layout) -> str:
    """The words by which the processes of this data directory can be told from those of another."""
    return f"assay-{sha256(os.fsencode(layout.cluster)).hexdigest()[:16]}"


def failure(summary: str, output: str) -> EmbeddedPostgresError:
    """The error for a PostgreSQL program that failed with these words."""
    if any(words in output for words in _WORDS_OF_A_FULL_DISK):
        return DiskFull(f"{summary}: the disk is full; {MAKE_ROOM}")
    last = "\n".join(output.strip().splitlines()[-LAST_WORDS_LINES:]) or "(it said nothing)"
    return StartFailed(f"{summary}; its last words:\n{last}\nIf that cannot be mended, {USE_YOUR_OWN}")


def _settings(layout: Layout, socket_folder: Path, *, durable: bool) -> dict[str, str]:
    careful = "on" if durable else "off"
    return {
        "hba_file": str(layout.client_rules),
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": '"{}"'.format(str(socket_folder).replace('"', '""')),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "password_encryption": "scram-sha-256",
        "shared_buffers": "128MB",
        # Compiling a query costs more than the small queries of a control plane.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%a ",
        "log_checkpoints": "off",
        # A statement may carry a user's attributes, which belong in no log.
        "log_min_error_statement": "panic",
        "cluster_name": cluster_name(layout),
        "fsync": careful,
        "full_page_writes": careful,
        "synchronous_commit": careful,
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _quoted(value: str) -> str:
    return "'{}'".format(value.replace("\\", "\\\\").replace("'", "''"))


def _exists(cluster: Path) -> bool:
    with suppress(OSError):
        cluster.rmdir()  # an empty folder is as good as none
    if not cluster.exists():
        return False
    if not (cluster / "PG_VERSION").exists():
        raise DataDirectoryUnusable(
            f"{cluster} is not a PostgreSQL data directory (it has no PG_VERSION); move it away, "
            f"give another data directory, or {USE_YOUR_OWN}",
            value=str(cluster),
        )
    return True


def _require_same_major(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(MAJOR_VERSION):
        raise WrongMajorVersion(
            f"{cluster} was written by PostgreSQL {found} and this Assay runs PostgreSQL {MAJOR_VERSION}; "
            f"start the Assay that wrote it, give another data directory, or {USE_YOUR_OWN}",
            value=found,
        )


def _remove_unfinished(layout: Layout) -> None:
    # An initdb whose starter was killed may still write for a moment: hence a new name for each attempt,
    # and no complaint when the old one cannot be removed yet.
    for unfinished in layout.postgres.glob(f"{layout.cluster.name}.new-*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _create(layout: Layout, installation: Installation, account: Account, *, durable: bool) -> str:
    unfinished = layout.cluster.with_name(f"{layout.cluster.name}.new-{secrets.token_hex(4)}")
    make_server_folder(unfinished, account)
    try:
        _run_initdb(unfinished, installation, account)
        password = secrets.token_urlsafe(32)
        statements = (
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{_fresh_verifier(password)}'",
            # Its errors quote what users sent, and Assay reports them itself.
            f"ALTER ROLE {ROLE} SET log_min_messages = log",
            f"GRANT pg_monitor TO {ROLE}",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        )
        _run_alone(unfinished, statements, "fsync=off", installation, account)
        if durable:
            _sync(unfinished, installation, account)
        write_file(layout.password, password)
        unfinished.rename(layout.cluster)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync_folder(layout.postgres)
    return password


def _run_initdb(folder: Path, installation: Installation, account: Account) -> None:
    arguments = (
        "--username=postgres",
        "--auth=reject",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        "--no-sync",
    )
    command = [str(installation.program("initdb")), f"--pgdata={folder}", *arguments]
    _run(command, "", account, f"PostgreSQL's initdb could not make {folder.parent}")


def _sync(folder: Path, installation: Installation, account: Account) -> None:
    # Once for both steps before. On a busy disk a thousand calls of fsync took 3.3 s, one of syncfs 0.05 s.
    method = "syncfs" if sys.platform == "linux" else "fsync"
    command = [
        str(installation.program("initdb")),
        f"--pgdata={folder}",
        "--sync-only",
        f"--sync-method={method}",
    ]
    _run(command, "", account, f"PostgreSQL's initdb could not write {folder.parent} to the disk")


def _run_alone(
    folder: Path, statements: tuple[str, ...], setting: str, installation: Installation, account: Account
) -> None:
    """Run statements in single-user mode, where nobody needs to log in."""
    settings = ("exit_on_error=on", "log_min_error_statement=panic", "log_checkpoints=off", setting)
    options = [part for setting in settings for part in ("-c", setting)]
    program = str(installation.program("postgres"))
    command = [program, "--single", "-j", *options, "-D", str(folder), "postgres"]
    script = "".join(f"{statement};\n\n" for statement in statements)
    _run(command, script, account, f"PostgreSQL could not prepare {folder.parent}")


def _run(arguments: list[str], script: str, account: Account, summary: str) -> None:
    done = subprocess.run(  # noqa: S603 — our own programs and paths, no shell
        arguments,
        input=script.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
        umask=0o077,
        check=False,
    )
    if done.returncode != 0:
        raise failure(f"{summary} (exit {done.returncode})", done.stdout.decode(errors="replace"))


def _read_password(layout: Layout) -> str | None:
    try:
        password = layout.password.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return password if re.fullmatch(r"[\w-]{43}", password, re.ASCII) else None


def _reset_password(layout: Layout, installation: Installation, account: Account) -> str:
    password = secrets.token_urlsafe(32)
    statements = (f"ALTER ROLE {ROLE} PASSWORD '{_fresh_verifier(password)}'",)
    _run_alone(layout.cluster, statements, "fsync=on", installation, account)
    write_file(layout.password, password)
    return password


def _fresh_verifier(password: str) -> str:
    return scram_verifier(password, salt=secrets.token_bytes(16))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
