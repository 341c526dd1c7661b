"""The numbers under which PostgreSQL keeps those who touch events out of each other's way."""

import uuid

# Held shared by whoever adds events and alone by whoever closes a slot: a closed slot never changes again.
WRITING = 0x45564E54
# Held by the one process of the cluster that changes the lake.
LEADING = 0x4C414B45
_FILES = 0x46494C45


def files_lock_of(environment_id: uuid.UUID) -> int:
    """Held shared by whoever reads the files of an environment's table, alone by whoever deletes some."""
    return _FILES << 32 | (environment_id.int & 0xFFFFFFFF)
