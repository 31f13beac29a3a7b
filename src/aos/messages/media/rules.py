"""Picture sizes from PNG, JPEG, GIF and WebP headers. Hostile input gives (0, 0), never an error.

Pixel counts as the header says: what an upstream decodes cannot be larger.
"""

import base64
import struct
from typing import Final

from aos.messages.limits import MEDIA_HEAD_BYTES_MAX

UNMEASURED: Final = (0, 0)
_URL_HEAD_BYTES_MAX: Final = 256
_SIZELESS_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def inline_data(url: memoryview) -> memoryview | None:
    """The base64 text of a quoted `data:` URL as it stands in a body; None for any other URL."""
    head = url[:_URL_HEAD_BYTES_MAX].tobytes()
    if not head.startswith(b'"data:'):
        return None
    comma = head.find(b";base64,")
    return url[comma + 8 : -1] if comma > 0 else None


def picture_size(data: memoryview) -> tuple[int, int]:
    """Width and height in pixels of a picture in base64; (0, 0) where they cannot be read."""
    head = data[: MEDIA_HEAD_BYTES_MAX // 3 * 4].tobytes()
    try:
        return _measure(base64.b64decode(head[: len(head) // 4 * 4], validate=True))
    except (ValueError, struct.error, IndexError):
        return UNMEASURED


def _measure(raw: bytes) -> tuple[int, int]:
    if raw.startswith(b"\x89PNG\r\n\x1a\n") and raw[12:16] == b"IHDR":
        width, height = struct.unpack(">II", raw[16:24])
        return int(width), int(height)
    if raw.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack("<HH", raw[6:10])
        return int(width), int(height)
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return _webp(raw)
    if raw.startswith(b"\xff\xd8"):
        return _jpeg(raw)
    return UNMEASURED


def _webp(raw: bytes) -> tuple[int, int]:
    kind = raw[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", raw[26:30])
        return int(width) & 0x3FFF, int(height) & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", raw[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    return UNMEASURED


def _jpeg(raw: bytes) -> tuple[int, int]:
    at = 2
    while raw[at] == 0xFF:  # noqa: PLR2004 - every JPEG marker starts so
        marker = raw[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack(">HH", raw[at + 5 : at + 9])
            return int(width), int(height)
        at += 2
        if marker not in _SIZELESS_MARKERS:
            (length,) = struct.unpack(">H", raw[at : at + 2])
            at += max(2, int(length))
    return UNMEASURED
