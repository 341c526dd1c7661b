"""Which forms are taken."""

import pytest

from assay.web.same_origin import is_same_origin


@pytest.mark.parametrize(
    ("fetch_site", "origin", "host", "taken"),
    [
        ("same-origin", "http://assay.test", "assay.test", True),
        ("same-origin", None, "assay.test", True),
        ("cross-site", "http://evil.test", "assay.test", False),
        ("same-site", "http://localhost:3000", "localhost:8000", False),
        ("none", None, "assay.test", False),
        (None, "http://assay.test", "assay.test", True),
        (None, "https://assay.test", "assay.test", True),
        (None, "http://assay.test:8000", "assay.test:8000", True),
        (None, "http://assay.test:8001", "assay.test:8000", False),
        (None, "http://evil.test", "assay.test", False),
        (None, "null", "assay.test", False),
        (None, None, "assay.test", False),
        (None, "null", "", False),
    ],
)
def test_only_our_own_pages_may_send_forms(
    fetch_site: str | None, origin: str | None, host: str, taken: bool
) -> None:
    assert is_same_origin(fetch_site=fetch_site, origin=origin, host=host) is taken
