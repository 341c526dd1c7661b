"""The least an ASGI application can do for an OFREP request: read the body, send as many bytes."""

from starlette.types import Receive, Scope, Send

METADATA = b'"metadata":{"flagSetId":"production","version":"1","ruleId":"r1"}'
SINGLE = b'{"key":"flag_0","value":true,"variant":"on","reason":"TARGETING_MATCH",' + METADATA + b"}"
FLAGS = 100


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a single or a bulk request with constant bytes."""
    if scope["type"] != "http":
        return
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    bulk = scope["path"].endswith("/flags")
    body = b'{"flags":[' + b",".join([SINGLE] * FLAGS) + b"]}" if bulk else SINGLE
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
