"""Secrets by reference: read when a connection is opened, and taken out of whatever is said about it."""

from collections.abc import Mapping, Sequence

from assay.sources.connections import Definition, Secret, secrets_of
from assay.sources.errors import MissingSecret

HIDDEN = "•••"
SHORTEST_HIDDEN = 3


def resolved(secret: Secret | None, environment: Mapping[str, str]) -> str | None:
    """The secret's value, None when there is no secret.

    Raises:
        MissingSecret: The environment does not hold it.
    """
    if secret is None:
        return None
    value = environment.get(secret.env)
    if not value:
        raise MissingSecret(
            f"the environment variable {secret.env} is not set; set it where Assay runs and start it again",
            value=secret.env,
        )
    return value


def known_secrets(definition: Definition, environment: Mapping[str, str]) -> list[str]:
    """The values behind a definition's references, those that are set."""
    return [value for secret in secrets_of(definition) if (value := environment.get(secret.env))]


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """The text with every secret hidden, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        # A secret of one letter would hide every such letter and protect nobody.
        if len(secret) >= SHORTEST_HIDDEN:
            text = text.replace(secret, HIDDEN)
    return text
