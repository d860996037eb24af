"""Images as strangers send them: sizes are read before anything is decoded, and each refusal has its reason.

A few kilobytes of PNG can unpack to gigabytes. So width and height come from the file's header first, in plain
Python and in time linear in the header; only what fits the limits reaches the decoder.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

MAX_SCANS = 64
"""Scans of a progressive JPEG; encoders write about ten. Each costs a pass over the whole image."""

MAX_SEGMENTS = 4096
"""Segments before the frame header; cameras write fewer than a hundred."""

_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what decoders in use can read
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})  # markers without a length


class RefusedError(Exception):
    """A request that is not served: HTTP status, a reason for the metrics, and a sentence for the sender."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        super().__init__(message)


def _corrupt(message: str) -> RefusedError:
    return RefusedError(422, "corrupt", message)


def read_size(body: bytes) -> tuple[int, int]:
    """Width and height that a PNG or JPEG file states, without decoding it.

    Raises
    ------
    RefusedError
        Empty (400), neither PNG nor JPEG (415), or a header that breaks off or contradicts itself (422).

    Examples
    --------
    >>> read_size(cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1].tobytes())
    (3, 2)
    """
    if not body:
        raise RefusedError(400, "empty", "the body is empty; send the bytes of a JPEG or PNG file")
    if body.startswith(PNG_SIGNATURE):
        width, height = _png_size(body)
    elif body.startswith(JPEG_SIGNATURE):
        width, height = _jpeg_size(body)
    else:
        raise RefusedError(415, "not_an_image", "the body is neither a JPEG nor a PNG file")
    if width < 1 or height < 1:
        raise _corrupt(f"the header states {width} × {height} pixels")
    return width, height


def _png_size(body: bytes) -> tuple[int, int]:
    if len(body) < 33 or body[8:16] != b"\x00\x00\x00\rIHDR":
        raise _corrupt("a PNG file without a whole header")
    return struct.unpack(">II", body[16:24])


def _jpeg_size(body: bytes) -> tuple[int, int]:
    """Walk the markers up to the frame header."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        at = body.find(b"\xff", at)
        if at < 0 or at + 4 > len(body):
            raise _corrupt("a JPEG file that ends before its frame header")
        marker = body[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _FRAMES:
            if at + 9 > len(body):
                raise _corrupt("a JPEG file that ends in its frame header")
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return width, height
        elif marker in _OTHER_FRAMES:
            raise RefusedError(415, "not_an_image", "a JPEG of a rare kind (lossless, hierarchical or arithmetic)")
        elif marker in (0xD9, 0xDA):
            raise _corrupt("a JPEG file without a frame header")
        else:
            at += 2 + struct.unpack(">H", body[at + 2 : at + 4])[0]
    raise _corrupt(f"a JPEG file without a frame header in its first {MAX_SEGMENTS:,} segments")


def decode(body: bytes, max_pixels: int, max_side: int) -> np.ndarray:
    """Decode a JPEG or PNG file into an image as OpenCV reads it: BGR, uint8, turned as its EXIF data say.

    Parameters
    ----------
    body : bytes
    max_pixels, max_side : int
        Limits on width × height and on either of them, checked before decoding.

    Raises
    ------
    RefusedError
        As `read_size`; more pixels than the limits (413); an image that breaks off or cannot be decoded (422).
    """
    width, height = read_size(body)
    if width * height > max_pixels or max(width, height) > max_side:
        limit = f"at most {max_pixels:,} pixels and {max_side:,} to a side"
        raise RefusedError(413, "too_many_pixels", f"the image has {width} × {height} pixels; {limit}")
    if body.startswith(JPEG_SIGNATURE) and body.count(b"\xff\xda") > MAX_SCANS:
        raise _corrupt(f"a JPEG file of more than {MAX_SCANS} scans")
    try:
        image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise _corrupt("the image breaks off or is damaged")
    if sorted(image.shape[:2]) != sorted((height, width)):
        raise _corrupt("the image's size is not what its header states")
    return image
