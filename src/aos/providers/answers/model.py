"""One fixed reply, its token counts, and ids that follow from the request."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from aos.messages import ModelCall

_REPLY: Final = (
    "This is the built-in stub of AOS: no provider has a key, so no model was asked."
    " Set OPENAI_API_KEY or ANTHROPIC_API_KEY and start again to get real answers."
)
_BYTES_PER_TOKEN: Final = 4
_EPOCH: Final = 1_750_000_000


class Speaker(Protocol):
    """Answers in one dialect."""

    def plain(self, call: ModelCall) -> bytes: ...

    def stream(self, call: ModelCall) -> list[bytes]:
        """One element an event, blank line included."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What the stub says to one call. A word is a token."""

    id: str
    created: int
    words: tuple[str, ...]
    cut: bool
    prompt_tokens: int

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def tokens(self) -> int:
        return len(self.words)


def prompt_tokens(call: ModelCall) -> int:
    """A quarter of the text's bytes, rounded up."""
    return -(-call.text_bytes // _BYTES_PER_TOKEN)


def reply(call: ModelCall) -> Reply:
    """The same for the same body; shortened to the call's ceiling."""
    digest = sha256(call.body).hexdigest()
    first, *others = _REPLY.split(" ")
    words = (first, *(f" {word}" for word in others))
    ceiling = call.output_tokens_max
    kept = words if ceiling is None else words[:ceiling]
    return Reply(
        id=digest[:24],
        created=_EPOCH + int(digest[:6], 16),
        words=kept,
        cut=len(kept) < len(words),
        prompt_tokens=prompt_tokens(call),
    )
