"""Flags over HTTP: what they are everywhere."""

import httpx2
import pytest

from .factories import FLAGS, a_configuration, make, publish

pytestmark = pytest.mark.anyio


async def test_a_flag_is_read_as_it_was_made(client: httpx2.AsyncClient) -> None:
    variants = {"zebra": 1e300, "apple": 1.0, "middle": -0.5}

    made = await make(client, "price", type="float", variants=variants, tags=["shop"], owner="ann")

    read = (await client.get(f"{FLAGS}/price")).json()
    assert read == made
    assert list(read["variants"].items()) == list(variants.items())
    assert read["tags"] == ["shop"]


async def test_smoke(client: httpx2.AsyncClient) -> None:
    await make(client)
    p = await publish(client, "checkout", a_configuration())
    assert p.status_code == 200, p.text
