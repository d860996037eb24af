"""HTTP at its edges: senders that stall, break off, or talk on after they were refused.

uvicorn bounds what it buffers, but waits for a header for ever, and keeps a connection that was reset in memory
until its idle time is over (its issue 157, and the early return of ``connection_lost``). Both are mended here.
"""

from __future__ import annotations

import asyncio
import json
import socket

import h11
from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from analysis.experiment.image_input import RefusedError

MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 2**10
_LINGER_BYTES = 64 * 2**20


class UnreadError(RefusedError):
    """A refusal while the sender may still be sending."""


class Protocol(H11Protocol):
    """uvicorn's protocol with a deadline for each header, and nothing kept of a connection that is gone."""

    header_s = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        # asyncio does this only for sockets made with an explicit protocol number; without it, an answer's
        # second packet waits 40 ms for the acknowledgement of its first
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._deadline = self.loop.call_later(self.header_s, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._met()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # nonsense while the answer to what came before is on its way
            self.transport.abort()

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
            self._met()
        elif self._deadline is None:  # part of the next header on a connection that was kept
            self._deadline = self.loop.call_later(self.header_s, self.transport.close)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def check_header(request: Request) -> None:
    """Refuse a header that came in one piece and is larger than any sensible client's (431)."""
    headers = request.scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise UnreadError(431, "header", f"at most {MAX_HEADERS} header lines and {MAX_HEADER_BYTES:,} bytes of them")


async def read_body(request: Request, max_bytes: int, seconds: float) -> bytes:
    """The body, as soon as it is complete.

    Raises
    ------
    RefusedError
        It states or shows more than ``max_bytes`` (413), or takes longer than ``seconds`` (408).
    ClientDisconnect
        The sender left before it was complete.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise UnreadError(413, "too_large", f"the body has {int(declared):,} bytes, accepted are {max_bytes:,}")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise UnreadError(413, "too_large", f"the body has more than the {max_bytes:,} bytes accepted")
    except TimeoutError:
        raise RefusedError(408, "stalled", f"the body was not complete after {seconds:g} s") from None
    return bytes(body)


class Answer(Response):
    """A JSON answer that is made without detours."""

    def __init__(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        super().__init__(text.encode("utf-8", "backslashreplace"), status, headers, "application/json")


class Refusal(Answer):
    """Why a request is not served; if its sender may still be sending, listen on for a while before closing.

    Closing a connection with unread input resets it, and the sender may then never see the answer.
    """

    def __init__(self, error: RefusedError, linger_s: float, headers: dict[str, str] | None = None) -> None:
        self._linger_s = linger_s if isinstance(error, UnreadError) else 0.0
        headers = dict(headers or {})
        if self._linger_s or error.status == 408:
            headers["Connection"] = "close"
        if error.status == 503:
            headers["Retry-After"] = "1"
        super().__init__({"reason": error.reason, "message": error.message}, error.status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        expects = any(name == b"expect" for name, _ in scope["headers"])
        if not self._linger_s or expects:  # who expects "100 Continue" has sent nothing yet
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        left = _LINGER_BYTES
        try:
            async with asyncio.timeout(self._linger_s):
                while left > 0:
                    message = await receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        break
                    left -= len(message["body"])
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


__all__ = ["Answer", "ClientDisconnect", "Protocol", "Refusal", "UnreadError", "check_header", "read_body"]
