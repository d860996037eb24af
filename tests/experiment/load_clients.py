"""Clients of the load test, in a process of their own: ``python load_clients.py PLAN RESULTS``.

The plan (JSON) names host and port, the phases (clients, seconds), and the kinds of request with their files and
weights. Each client keeps its connection where the server does, and writes down every request: kind, status, the
package that answered and when, on the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from pathlib import Path


class Client:
    """One keep-alive connection to the server, opened again whenever it was closed."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            with contextlib.suppress(OSError):
                await self.writer.wait_closed()
        self.reader = self.writer = None

    async def send(self, name: str, body: bytes, manner: str) -> tuple[int, dict[str, str], bytes]:
        """One request in the given manner; the status is 0 where the sender left on purpose."""
        if self.writer is None or self.writer.is_closing() or self.reader.at_eof():
            await self.close()
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        head = f"{'GET' if manner == 'get' else 'POST'} /v1/inspect HTTP/1.1\r\nHost: load\r\nX-Request-Id: {name}\r\n"
        if manner == "nonsense":
            self.writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        elif manner == "get":
            self.writer.write(head.encode() + b"\r\n")
        elif manner == "chunked":
            self.writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 65_536):
                part = body[at : at + 65_536]
                self.writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.writer.write(b"0\r\n\r\n")
        else:
            part = body[: len(body) // 2] if manner == "leave" else body
            self.writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + part)
        with contextlib.suppress(ConnectionError):  # refused while sending: the answer is there to read
            await self.writer.drain()
        if manner == "leave":
            await self.close()
            return 0, {}, b""
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:] if line)}
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = await self.reader.read()
        if headers.get("connection") == "close":
            await self.close()
        return int(head[0].split()[1]), headers, body


async def work(number: int, plan: dict, until: float, rows: list) -> None:
    """Send requests, one after the other, until the phase ends."""
    draw = random.Random(f"{plan['seed']} {number} {until}")
    kinds = plan["kinds"]
    client = Client(plan["host"], plan["port"])
    count = 0
    while time.monotonic() < until:
        kind = draw.choices(kinds, [kind["weight"] for kind in kinds])[0]
        row = {"kind": kind["name"], "start": time.monotonic(), "status": -1, "package": "", "says": ""}
        try:
            async with asyncio.timeout(20):
                status, headers, body = await client.send(f"{number}-{count}", kind["body"], kind["manner"])
            row |= {"status": status, "package": headers.get("x-package", "")}
            if status == 200:
                answer = json.loads(body)
                row["says"] = [answer["package"], answer["detections"][0]["defect"]]
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            row["says"] = f"{type(error).__name__}: {error}"
            await client.close()
        row["end"] = time.monotonic()
        rows.append(row)
        count += 1
    await client.close()


async def run(plan: dict) -> list[dict]:
    rows: list[dict] = []
    for kind in plan["kinds"]:
        kind["body"] = Path(kind["file"]).read_bytes()
    for clients, seconds in plan["phases"]:
        until = time.monotonic() + seconds
        before = len(rows)
        await asyncio.gather(*(work(number, plan, until, rows) for number in range(clients)))
        for row in rows[before:]:
            row["clients"] = clients
    return rows


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = asyncio.run(run(plan))
    Path(sys.argv[2]).write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
