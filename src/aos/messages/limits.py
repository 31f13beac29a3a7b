"""Bounds of reading requests and streams."""

from typing import Final

EVENT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Longest event of a stream: a Responses terminal event repeats the whole output, images too.
A longer one ends the stream with StreamInvalid."""

CHOICES_MAX: Final = 128
"""Largest `n` (OpenAI's own); more is InvalidRequest."""

TOKENS_MAX: Final = 1 << 31
"""Largest token count that is believed, in a request or in a report of usage."""

MEDIA_HEAD_BYTES_MAX: Final = 64 * 1024
"""How far into an inline picture its size is looked for; further in, it is unmeasured."""

CONTENT_DEPTH_MAX: Final = 8
"""Content inside content (a tool's result, a document); deeper is InvalidRequest."""

MODEL_NAME_CHARACTERS_MAX: Final = 256
"""Longest model name or alias."""
