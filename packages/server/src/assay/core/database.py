"""Sessions whose type says whether they write, and the only place that commits."""

import asyncio
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal, NewType, TypeVar, cast

import psycopg
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from assay.core.config import Settings
from assay.shared.errors import AssayError, Invalid

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", ReadSession)
Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
Result = TypeVar("Result")

MAX_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.5
# A large database replays its log for minutes; whoever waits longer has something else to mend.
STARTING_SECONDS = 60.0
_STARTING = re.compile(r"the database system is (starting up|shutting down|not yet accepting|in recovery)")
# serialization_failure, deadlock_detected: PostgreSQL promises that the whole transaction may be run again.
TRANSIENT_SQLSTATES = frozenset({"40001", "40P01"})
INSUFFICIENT_PRIVILEGE = "42501"
# No connection, a lost one, none free in time, or PostgreSQL out of something: the same may succeed later.
OUTAGES = (OperationalError, InterfaceError, PoolTimeout)


class InvalidDatabaseUrl(Invalid):
    """The database URL cannot be read."""

    code = "invalid_database_url"


class DatabaseUnusable(AssayError):
    """The database cannot be reached, or does not let us do what we need."""

    code = "database_unusable"


class Database:
    """Opens sessions; one `writing` block is one transaction."""

    def __init__(self, bind: AsyncEngine | AsyncConnection) -> None:
        """Over an engine, or for tests over one connection whose outer transaction is rolled back."""
        self._bind = bind

    @asynccontextmanager
    async def reading(self, *, isolation: Isolation = "READ COMMITTED") -> AsyncGenerator[ReadSession]:
        """A session in which PostgreSQL itself refuses to write."""
        async with self._session(isolation) as session:
            await session.execute(text("SET TRANSACTION READ ONLY"))
            yield ReadSession(session)
            # Rows stay readable after the block; a rollback would make them ask the database again.
            session.expunge_all()
            await session.rollback()

    @asynccontextmanager
    async def writing(self, *, isolation: Isolation = "READ COMMITTED") -> AsyncGenerator[WriteSession]:
        """A session that is committed when the block ends well and rolled back when it does not."""
        async with self._session(isolation) as session:
            yield WriteSession(ReadSession(session))
            await session.commit()

    async def write(
        self, work: Callable[[WriteSession], Awaitable[Result]], *, isolation: Isolation = "READ COMMITTED"
    ) -> Result:
        """Runs `work` in one transaction, as a whole again when PostgreSQL asks for it."""

        async def once() -> Result:
            async with self.writing(isolation=isolation) as session:
                return await work(session)

        return await retry_transient(once)

    async def close(self) -> None:
        """Closes the pool."""
        if isinstance(self._bind, AsyncEngine):
            await self._bind.dispose()

    @asynccontextmanager
    async def _session(self, isolation: Isolation) -> AsyncGenerator[AsyncSession]:
        async with AsyncSession(
            self._bind, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            if isinstance(self._bind, AsyncEngine):
                await session.connection(execution_options={"isolation_level": isolation})
            yield session


def open_database(settings: Settings, url: str) -> Database:
    """A pool as the settings ask for; nothing is connected yet."""
    engine = create_async_engine(
        sqlalchemy_url(url),
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_max_overflow,
        pool_timeout=settings.database_pool_timeout_seconds,
        pool_recycle=settings.database_pool_recycle_seconds,
        pool_pre_ping=True,
        connect_args=connection_arguments(settings.database_schema),
    )
    return Database(engine)


def connection_arguments(schema: str) -> dict[str, str]:
    """What every connection of Assay is opened with: its schema, UTC, and a name to be seen under."""
    return {"options": f"-csearch_path={schema} -ctimezone=UTC", "application_name": "assay"}


def sqlalchemy_url(url: str) -> URL:
    """The URL with our driver, whatever PostgreSQL spelling it came in.

    Raises:
        InvalidDatabaseUrl: It is not a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The URL may hold a password, so the sentence does not repeat it.
        raise InvalidDatabaseUrl(
            "the database URL cannot be read; write postgresql://user:password@host:5432/name"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise InvalidDatabaseUrl(
            f"{parsed.get_backend_name()!r} is not supported; Assay needs PostgreSQL 15 or newer"
        )
    return parsed.set(drivername="postgresql+psycopg")


def url_of(session: ReadSession) -> str:
    """The URL of the database that a session is open on, for readers that connect by themselves."""
    return session.get_bind().engine.url.render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """The same URL for tools that speak to libpq directly."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def explained(url: str) -> Generator[None, None, None]:
    """Around the first use of a database: what an administrator can mend is one sentence without a password.

    Raises:
        DatabaseUnusable: It cannot be reached, refuses us, or our role may not do what is needed.
    """
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        sqlstate = cause.sqlstate if isinstance(cause, psycopg.Error) else None
        if not isinstance(error, OperationalError) and sqlstate not in {None, INSUFFICIENT_PRIVILEGE}:
            raise
        shown = sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
        reason = str(cause).strip().splitlines()[0]
        raise DatabaseUnusable(
            f"the database {shown} cannot be used: {reason}; mend ASSAY_DATABASE_URL or what it leads to"
        ) from error


@asynccontextmanager
async def driver(session: WriteSession) -> AsyncGenerator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """The driver's connection under a session and inside its transaction, for COPY.

    Its failures come as SQLAlchemy's, so that those who retry or answer for them need to know one kind.
    """
    fairy = await (await session.connection()).get_raw_connection()
    connection = cast("psycopg.AsyncConnection[tuple[object, ...]]", fairy.driver_connection)
    try:
        yield connection
    except psycopg.Error as error:
        raise DBAPIError.instance("COPY", None, error, psycopg.Error) from error


def wait_while_starting(url: str, *, within_seconds: float = STARTING_SECONDS) -> None:
    """Waits while PostgreSQL is there but takes no connections yet, as after a crash or in a failover.

    Returns at once in every other case, also when nobody answers; connecting tells that better.
    """
    deadline = time.monotonic() + within_seconds
    while _is_starting(url) and time.monotonic() < deadline:
        time.sleep(0.1)


async def retry_transient(work: Callable[[], Awaitable[Result]]) -> Result:
    """Runs `work` again after serialization failures and deadlocks, a bounded number of times.

    Pauses grow exponentially with full jitter, so that the losers of a collision do not meet again.
    """
    for attempt in range(1, MAX_ATTEMPTS):
        try:
            return await work()
        except DBAPIError as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(_pause_seconds(attempt))
    return await work()


def is_transient(error: BaseException) -> bool:
    """Whether PostgreSQL asks for the whole transaction to be run again."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.Error) and cause.sqlstate in TRANSIENT_SQLSTATES


def _is_starting(url: str) -> bool:
    try:
        psycopg.connect(libpq_url(url), connect_timeout=3).close()
    except psycopg.Error as error:
        # A refused connection carries no SQLSTATE, only the server's sentence.
        return _STARTING.search(str(error)) is not None
    return False


def _pause_seconds(attempt: int) -> float:
    ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
    return random.uniform(0, ceiling)  # noqa: S311 — jitter, not a secret
