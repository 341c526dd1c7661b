"""A flag in one environment: its draft, what it serves, and the way from one to the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from assay.audit.diff import Change, changes
from assay.audit.schemas import ChangeOut
from assay.core.database import ReadSession, WriteSession
from assay.flags import conditions, documents, publishing, repository, service
from assay.flags.documents import Definition, Document
from assay.flags.errors import NothingToPublish, NotPublished, RevisionNotFound, UnknownRevision
from assay.flags.models import FlagRevision, FlagRow, FlagState
from assay.flags.publishing import Next, Place, flag_subject
from assay.flags.repository import By, Standing
from assay.flags.schemas import Configuration, Published, StateOut
from assay.projects import service as projects
from assay.shared import pagination
from assay_engine import Flag
from assay_engine.parsing import flag_from_json
from assay_engine.writing import flag_to_json


@dataclass(frozen=True, slots=True)
class Here:
    """A flag's rows in one environment."""

    place: Place
    row: FlagRow
    state: FlagState | None
    revision: FlagRevision | None

    @property
    def tag(self) -> str:
        """The entity tag of all this."""
        return conditions.state_tag(self.row.version, self.state.version if self.state else 0)

    @property
    def definition(self) -> Definition:
        """What the flag is everywhere."""
        return Definition(self.row.key, self.row.type, self.row.variants, self.row.attached)

    @property
    def draft(self) -> Document:
        """The configuration that the next publication serves."""
        if self.state is not None and self.state.draft is not None:
            return self.state.draft
        if self.revision is not None:
            return documents.configuration_of(self.revision.document)
        return documents.initial_configuration(self.definition)

    @property
    def standing(self) -> Standing:
        """Where the flag stands here."""
        return Standing(self.row.id, self.row.type, archived=False, number=self._number)

    @property
    def served(self) -> Document | None:
        """The document that is served, None before the first."""
        return self.revision.document if self.revision else None

    @property
    def _number(self) -> int:
        return self.revision.number if self.revision else 0

    def next(self) -> Flag:
        """The flag as the next publication would serve it."""
        return documents.compose(self.definition, self.draft)


async def here(tx: ReadSession, project_key: str, key: str, environment_key: str) -> Here:
    """A flag in an environment, for reading.

    Raises:
        FlagNotFound, EnvironmentNotFound: There is no such thing.
    """
    row = await service.flag_row(tx, project_key, key)
    return await _here(tx, project_key, row, environment_key)


async def locked(
    tx: WriteSession, project_key: str, key: str, environment_key: str, *, if_match: str | None
) -> Here:
    """A flag in an environment, which nobody else changes until the transaction ends.

    Raises:
        FlagNotFound, EnvironmentNotFound: There is no such thing.
        FlagIsArchived: The flag is archived.
        VersionMissing, StaleVersion: The caller has not read the current version.
    """
    found = await _locked(tx, project_key, key, environment_key)
    conditions.require(if_match, found.tag)
    return found


def out(found: Here) -> StateOut:
    """A flag in an environment as the API gives it."""
    drafted = found.state if found.state is not None and found.state.draft is not None else None
    return StateOut(
        flag=found.row.key,
        environment=found.place.environment,
        published=published_out(found.revision) if found.revision else None,
        draft=Configuration.model_validate(found.draft),
        drafted_by=drafted.drafted_by if drafted else None,
        drafted_at=drafted.drafted_at if drafted else None,
        changes=[ChangeOut.model_validate(change) for change in difference(found)],
        etag=found.tag,
    )


def published_out(revision: FlagRevision) -> Published:
    """A revision as the API gives it."""
    return Published.model_validate(revision)


def difference(found: Here) -> tuple[Change, ...]:
    """What the next publication would change."""
    return changes(found.served, flag_to_json(found.next()))


async def set_draft(
    tx: WriteSession,
    project_key: str,
    key: str,
    environment_key: str,
    new: Mapping[str, Any],
    *,
    whole: bool,
    if_match: str | None,
    by: By,
) -> StateOut:
    """The flag with another draft.

    Args:
        new: A configuration, or when not `whole` the parts of it that change.

    Raises:
        MalformedFlag: The draft is not of the wire format.
    """
    found = await locked(tx, project_key, key, environment_key, if_match=if_match)
    wanted = new if whole else {**found.draft, **new}
    document = flag_to_json(documents.compose(found.definition, wanted))
    return await _draft(tx, found, documents.configuration_of(document), by=by)


async def discard(
    tx: WriteSession, project_key: str, key: str, environment_key: str, *, if_match: str | None, by: By
) -> StateOut:
    """The flag without a draft beside what is served."""
    found = await locked(tx, project_key, key, environment_key, if_match=if_match)
    return await _draft(tx, found, None, by=by)


async def copy(
    tx: WriteSession,
    project_key: str,
    key: str,
    environment_key: str,
    *,
    source: str,
    if_match: str | None,
    by: By,
) -> StateOut:
    """The flag with the draft that serves what another environment serves.

    Raises:
        NotPublished: The other environment serves nothing of it.
    """
    found = await locked(tx, project_key, key, environment_key, if_match=if_match)
    await projects.require_environment(tx, project_key, source)
    other = await _here(tx, project_key, found.row, source)
    return await _draft(tx, found, documents.configuration_of(_served(other)), by=by)


async def publish(
    tx: WriteSession, project_key: str, key: str, environment_key: str, *, if_match: str | None, by: By
) -> StateOut:
    """The flag after its draft has become what the environment serves.

    Raises:
        NothingToPublish: The environment serves just that already.
        Unpublishable: The environment's ruleset would fail the check; nothing has been changed.
    """
    found = await locked(tx, project_key, key, environment_key, if_match=if_match)
    flag = found.next()
    if found.revision is not None and documents.to_text(found.revision.document) == documents.text_of(flag):
        raise NothingToPublish(f"{environment_key!r} serves this of flag {key!r} already", value=key)
    if found.state is not None and found.state.draft is not None:
        await repository.set_draft(tx, found.row.id, found.place.environment_id, None, by=by)
    return await _serve(tx, found, flag, action="published", by=by)


async def switch(
    tx: WriteSession, project_key: str, key: str, environment_key: str, *, enabled: bool, by: By
) -> StateOut:
    """The flag switched on or off at once, with everything else as it is served; drafts stay.

    Raises:
        NotPublished: The environment has never served the flag.
    """
    found = await _locked(tx, project_key, key, environment_key)
    flag = flag_from_json(_served(found))
    if flag.enabled is enabled:
        return out(found)
    switched = replace(flag, enabled=enabled)
    new = Next(found.standing, switched, documents.text_of(switched))
    action = "switched_on" if enabled else "switched_off"
    await publishing.switch(tx, found.place, new, action=action, by=by)
    return await _recorded(tx, found, switched, action=action, by=by)


async def revert(
    tx: WriteSession, project_key: str, key: str, environment_key: str, *, number: int, by: By
) -> StateOut:
    """The flag served again exactly as in an earlier revision; drafts stay.

    Raises:
        UnknownRevision: There is no such revision.
        NothingToPublish: It is what is served.
        Unpublishable: What was right then does not fit what the environment serves now.
    """
    found = await _locked(tx, project_key, key, environment_key)
    try:
        earlier = await _revision(tx, found, number)
    except RevisionNotFound as error:
        raise UnknownRevision(error.message, value=number) from error
    if found.served is not None and documents.to_text(found.served) == documents.to_text(earlier.document):
        raise NothingToPublish(
            f"revision {number} of flag {key!r} is what {environment_key!r} serves already"
        )
    return await _serve(tx, found, flag_from_json(earlier.document), action="reverted", by=by)


async def revisions(
    tx: ReadSession, project_key: str, key: str, environment_key: str, *, cursor: str | None, limit: int
) -> tuple[list[Published], str | None]:
    """A page of what the environment has served of a flag, newest first, and the cursor of the next."""
    found = await here(tx, project_key, key, environment_key)
    rows = await repository.revisions(
        tx, found.row.id, found.place.environment_id, cursor=cursor, limit=limit
    )
    rows, following = pagination.split(rows, limit=limit)
    return [published_out(row) for row in rows], following


async def revision(
    tx: ReadSession, project_key: str, key: str, environment_key: str, number: int
) -> Published:
    """What the environment served in one revision of a flag.

    Raises:
        RevisionNotFound: There is no such revision.
    """
    found = await here(tx, project_key, key, environment_key)
    return published_out(await _revision(tx, found, number))


async def _here(tx: ReadSession, project_key: str, row: FlagRow, environment_key: str) -> Here:
    place = await publishing.place_of(tx, project_key, environment_key)
    state, served = await repository.state(tx, row.id, place.environment_id)
    return Here(place, row, state, served)


async def _locked(tx: WriteSession, project_key: str, key: str, environment_key: str) -> Here:
    row = await service.locked_flag(tx, project_key, key)
    return await _here(tx, project_key, row, environment_key)


async def _revision(tx: ReadSession, found: Here, number: int) -> FlagRevision:
    row = await repository.revision(tx, found.row.id, found.place.environment_id, number)
    if row is None:
        raise RevisionNotFound(
            f"flag {found.row.key!r} has no revision {number} in {found.place.environment!r}", value=number
        )
    return row


def _served(found: Here) -> Document:
    if found.served is None:
        raise NotPublished(
            f"{found.place.environment!r} has never served flag {found.row.key!r}; publish it first",
            value=found.row.key,
        )
    return found.served


async def _draft(tx: WriteSession, found: Here, draft: Document | None, *, by: By) -> StateOut:
    environment_id = found.place.environment_id
    await repository.set_draft(tx, found.row.id, environment_id, draft, by=by)
    state, served = await repository.state(tx, found.row.id, environment_id)
    changed = Here(found.place, found.row, state, served)
    await publishing.record(
        tx,
        found.place,
        flag_subject(found.row.key, found.place.environment),
        action="flag.drafted" if draft is not None else "flag.draft_discarded",
        before={"draft": found.draft},
        after={"draft": changed.draft},
        by=by,
    )
    return out(changed)


async def _serve(tx: WriteSession, found: Here, flag: Flag, *, action: str, by: By) -> StateOut:
    new = Next(found.standing, flag, documents.text_of(flag))
    await publishing.serve(tx, found.place, {flag.key: new}, action=action, by=by)
    return await _recorded(tx, found, flag, action=action, by=by)


async def _recorded(tx: WriteSession, found: Here, flag: Flag, *, action: str, by: By) -> StateOut:
    """The flag as it is served now, which is added to the change log."""
    await publishing.record(
        tx,
        found.place,
        flag_subject(flag.key, found.place.environment),
        action=f"flag.{action}",
        before=found.served,
        after=flag_to_json(flag),
        by=by,
    )
    state, served = await repository.state(tx, found.row.id, found.place.environment_id)
    return out(Here(found.place, found.row, state, served))
