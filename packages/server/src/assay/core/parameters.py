"""Query parameters that many endpoints share."""

from typing import Annotated

from fastapi import Query

from assay.shared.pagination import DEFAULT_LIMIT, MAX_LIMIT

Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows in a page.")]
LIMIT = DEFAULT_LIMIT
