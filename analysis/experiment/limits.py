"""What the model server accepts, before it costs memory or time."""

from __future__ import annotations

from dataclasses import dataclass, fields

from analysis.base.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what senders can make the server do; one value for all of them, given at the start.

    Attributes
    ----------
    body_bytes : int
        Size of an image file; larger ones are answered 413.
    pixels, side : int
        Width × height of an image, and either of them; larger ones are answered 413 without decoding.
    in_flight : int
        Requests between their header and their answer; beyond it 503 with ``Retry-After``.
    connections : int
        Open connections; beyond it 503.
    header_s, body_s : float
        Seconds for a request's header and for its body, from their first byte; slower senders are cut off.
    request_s : float
        Seconds for an inspection with its waiting; later ones are answered 504.
    idle_s : float
        Seconds that a connection is kept between requests.
    linger_s : float
        Seconds in which the rest of a refused body is read and thrown away, so that its sender sees the answer.
    workers : int
        Threads that inspect; 0 is one a core, four at most.
    """

    body_bytes: int = 8 * 2**20
    pixels: int = 16 * 2**20
    side: int = 8192
    in_flight: int = 256
    connections: int = 512
    header_s: float = 10.0
    body_s: float = 15.0
    request_s: float = 30.0
    idle_s: float = 30.0
    linger_s: float = 5.0
    workers: int = 0

    def __post_init__(self) -> None:
        bad = [
            Problem(item.name, f"is {value!r}, expected a number above {'-1' if item.name == 'workers' else '0'}")
            for item in fields(self)
            if isinstance(value := getattr(self, item.name), bool)
            or not isinstance(value, int if item.type == "int" else (int, float))
            or not value > (-1 if item.name == "workers" else 0)
        ]
        if bad:
            raise InputError("These limits cannot be kept.", bad)
