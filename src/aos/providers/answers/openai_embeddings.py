"""The stub's embeddings."""

from base64 import b64encode
from hashlib import sha256
from struct import pack
from typing import Any, Final

import orjson

from aos.messages import ModelCall
from aos.providers.answers.model import prompt_tokens

_DIMENSIONS: Final = 8


class EmbeddingsSpeaker:
    def plain(self, call: ModelCall) -> bytes:
        body = orjson.loads(call.body)
        inputs = body.get("input")
        texts = inputs if isinstance(inputs, list) and call.messages > 1 else [inputs]
        encoded = body.get("encoding_format") == "base64"
        embeddings = [
            {"object": "embedding", "index": i, "embedding": _vector(text, base64=encoded)}
            for i, text in enumerate(texts)
        ]
        used = prompt_tokens(call)
        return orjson.dumps(
            {
                "object": "list",
                "data": embeddings,
                "model": call.model,
                "usage": {"prompt_tokens": used, "total_tokens": used},
            }
        )

    def stream(self, call: ModelCall) -> list[bytes]:
        return [self.plain(call)]


def _vector(text: Any, *, base64: bool) -> str | list[float]:
    """Eight numbers between -1 and 1 that follow from the text."""
    digest = sha256(orjson.dumps(text)).digest()
    numbers = [digest[i] / 127.5 - 1 for i in range(_DIMENSIONS)]
    return b64encode(pack(f"<{_DIMENSIONS}f", *numbers)).decode() if base64 else numbers
