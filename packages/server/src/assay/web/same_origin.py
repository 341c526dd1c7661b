"""Forms are taken only from our own pages, so that another site cannot make a reader's browser send one.

Browsers say where a request comes from and no page can forge it (Fetch Metadata, W3C; RFC 6454), which makes
tokens and cookies unnecessary here.
"""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from assay.shared.errors import Denied


class CrossSiteRequest(Denied):
    """A form was sent from somewhere else than our own pages."""

    code = "cross_site_request"


def is_same_origin(*, fetch_site: str | None, origin: str | None, host: str | None) -> bool:
    """Whether a request comes from our own pages; one that does not say does not.

    Args:
        fetch_site: The header `Sec-Fetch-Site`.
        origin: The header `Origin`, all that older browsers send, and browsers on plain HTTP.
        host: The header `Host`.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    # The scheme is left out: behind a proxy that ends TLS, ours is http and the browser's https.
    return origin is not None and bool(host) and urlsplit(origin).netloc == host


def _require_same_origin(request: Request) -> None:
    headers = request.headers
    if not is_same_origin(
        fetch_site=headers.get("Sec-Fetch-Site"), origin=headers.get("Origin"), host=headers.get("Host")
    ):
        raise CrossSiteRequest(
            "this form was not sent from one of Assay's own pages; open the page here and use its button, "
            "or call the API under /api/v1"
        )


FromOurPages = Annotated[None, Depends(_require_same_origin)]
