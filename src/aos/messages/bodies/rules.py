"""Reading, measuring and splicing a JSON object without touching the rest of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import orjson

from aos.messages.errors import InvalidRequest
from aos.messages.limits import MODEL_NAME_CHARACTERS_MAX, TOKENS_MAX
from aos.messages.model import ModelCall

Shape = TypeVar("Shape")

_TOP: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_SPACE: Final = 0x20
_COMMA: Final = 0x2C
_CLOSING_BRACE: Final = 0x7D
_PATH: Final = re.compile(r"`\$\.?([^`]*)`$")
_ASCII: Final = bytes(range(128))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that are not ASCII, and escaped code units (backslash, u, four digits)."""

    wide_bytes: int
    escapes: int


def read(decoder: msgspec.json.Decoder[Shape], body: bytes) -> Shape:
    """The fields that `decoder` knows. Raises InvalidRequest, naming the field.

    The whole text is checked, also what is skipped: syntax, depth, surrogates, and here UTF-8.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"The body is not valid UTF-8 at byte {error.start}. Send JSON encoded as UTF-8."
            ) from None
    return read_part(decoder, body)


def read_part(decoder: msgspec.json.Decoder[Shape], body: bytes | msgspec.Raw) -> Shape:
    """The same for a part of a body that was checked as a whole."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply. Flatten it.") from None


def sizes(body: bytes) -> Sizes:
    wide = 0 if body.isascii() else len(body.translate(None, _ASCII))
    if body.rfind(b"\\u") < 0:  # Backwards: the forward search stumbles over every backslash.
        return Sizes(wide, 0)
    # Escaped backslashes go first: in `\\\\u0041` nothing is escaped but the backslash.
    return Sizes(wide, body.replace(b"\\\\", b"").count(b"\\u"))


def spans(body: bytes) -> dict[str, tuple[int, int]]:
    """Where the value of each top-level field stands: (start, end).

    Walks from value to value by the lengths that the parser found, comparing the bytes, so that
    it must end exactly at the closing brace: a repeated name cannot hide. Raises InvalidRequest.
    """
    values = _TOP.decode(body)
    found: dict[str, tuple[int, int]] = {}
    at = _skip_blanks(body, 0) + 1
    for name, value in values.items():
        quoted = b'"%b"' % name.encode()
        at = _skip_blanks(body, at)
        if not body.startswith(quoted, at):
            raise _ambiguous(name)
        at = _skip_blanks(body, at + len(quoted)) + 1
        start = _skip_blanks(body, at)
        raw = memoryview(value)
        if not body.startswith(raw, start):
            raise _ambiguous(name)
        found[name] = (start, start + len(raw))
        at = _skip_blanks(body, start + len(raw))
        if body[at] == _COMMA:
            at += 1
    if body[_skip_blanks(body, at)] != _CLOSING_BRACE:
        raise _ambiguous(next(reversed(values), ""))
    return found


def splice(
    body: bytes, places: Mapping[str, tuple[int, int]], values: Mapping[str, bytes]
) -> bytes:
    """The body with these top-level values (JSON) replaced or added; every other byte stays."""
    changes = sorted((places[name], value) for name, value in values.items() if name in places)
    parts: list[bytes] = []
    at = 0
    for (start, end), value in changes:
        parts += (body[at:start], value)
        at = end
    added = [b'"%b":%b' % (n.encode(), v) for n, v in values.items() if n not in places]
    if not added:
        return b"".join((*parts, body[at:]))
    close = body.rindex(b"}")
    comma = b"," if places else b""
    return b"".join((*parts, body[at:close], comma, b",".join(added), body[close:]))


def without(body: bytes, name: str) -> bytes:
    """The body without this top-level field, which it has. Raises InvalidRequest as `spans`."""
    start, end = spans(body)[name]
    begin = body.rindex(b'"%b"' % name.encode(), 0, start)
    after = _skip_blanks(body, end)
    if body[after] == _COMMA:
        return body[:begin] + body[_skip_blanks(body, after + 1) :]
    return body[:begin].rstrip().removesuffix(b",") + body[end:]


def ceiling(fields: Mapping[str, int | None]) -> tuple[str | None, int | None]:
    """The output ceiling that binds, and its field: the largest, since upstreams disagree which
    of two counts. Raises InvalidRequest for a ceiling that is no token count.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    for name, value in given.items():
        if not 0 <= value <= TOKENS_MAX:
            raise InvalidRequest(f"`{name}` must be between 0 and {TOKENS_MAX}.", param=name)
    if not given:
        return None, None
    name = max(given, key=given.__getitem__)
    return name, given[name]


def named(model: str) -> str:
    """The model's name. Raises InvalidRequest for one that no upstream could know."""
    if not model.strip() or len(model) > MODEL_NAME_CHARACTERS_MAX:
        raise InvalidRequest(
            f"`model` must be a name of 1 to {MODEL_NAME_CHARACTERS_MAX} characters.",
            param="model",
        )
    return model


def changes(
    call: ModelCall, model: str | None, output_tokens_max: int | None, fields: Sequence[str]
) -> dict[str, bytes]:
    """The JSON values of top-level fields that must change, for `splice`.

    A ceiling goes into every one of `fields` that the call has, or else into the first.
    """
    values: dict[str, bytes] = {}
    if model is not None and model != call.model:
        values["model"] = orjson.dumps(model)
    if output_tokens_max is not None and output_tokens_max != call.output_tokens_max:
        present = [name for name in fields if name in call.places] or fields[:1]
        values |= dict.fromkeys(present, b"%d" % output_tokens_max)
    return values


def starts_with(raw: msgspec.Raw, first: bytes) -> bool:
    return memoryview(raw)[:1] == first


def _skip_blanks(body: bytes, at: int) -> int:
    if body[at] > _SPACE:
        return at
    match = _BLANKS.match(body, at)
    return match.end() if match else at


def _wrong_type(message: str) -> InvalidRequest:
    match = _PATH.search(message)
    param = match.group(1) if match else ""
    where = f" (field `{param}`)" if param else ""
    reason = message.partition(" - at `$")[0]
    return InvalidRequest(f"{reason}{where}.", param=param or None)


def _ambiguous(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"A top-level field is given twice or its name is escaped (near `{name}`): "
        "two readers could understand it differently. Send each name once, unescaped.",
        param=name or None,
    )
