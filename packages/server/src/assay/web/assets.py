"""The files pages need, served by us alone: a closed list, addressed with a hash of their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from assay.shared.errors import NotFound

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"

router = APIRouter(include_in_schema=False)


class AssetNotFound(NotFound):
    """There is no such file."""

    code = "asset_not_found"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    content: bytes
    media_type: str
    version: str

    @property
    def etag(self) -> str:
        """Tells browsers whether they have this very content."""
        return f'"{self.version}"'


@cache
def assets() -> Mapping[str, Asset]:
    """Every file by its name; a file's folder is for people only."""
    return {path.name: _read(path) for path in sorted(FOLDER.rglob("*")) if path.suffix in MEDIA_TYPES}


@router.get("/static/{file}", name="asset")
async def asset(file: str, request: Request) -> Response:
    """Serves a file; for ever when it is asked for by the hash of its content."""
    found = assets().get(file)
    if found is None:
        raise AssetNotFound(f"no file {file!r}", value=file)
    lasting = request.query_params.get("v") == found.version
    headers = {"ETag": found.etag, "Cache-Control": FOREVER if lasting else ASK_AGAIN}
    if request.headers.get("If-None-Match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, MEDIA_TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
