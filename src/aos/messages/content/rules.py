"""Walking the content of messages. Text is never decoded, only what may be a medium or an id.

Blocks of kinds that do not exist yet are safe: inline bytes count as text, and anything with a
source that is not inline is a medium that could not be measured.
"""

from typing import Any, Final

import msgspec

from aos.messages import bodies, counts, media
from aos.messages.errors import InvalidRequest
from aos.messages.limits import CONTENT_DEPTH_MAX
from aos.messages.model import Media, MediaKind
from aos.messages.tools import ResponsesTool

_NOTHING: Final = msgspec.Raw(b"")


class _Link(msgspec.Struct, gc=False):
    url: msgspec.Raw = _NOTHING
    detail: Any = None


class _Blob(msgspec.Struct, gc=False):
    data: msgspec.Raw = _NOTHING
    file_data: msgspec.Raw = _NOTHING
    file_id: str | None = None


class _ChatPart(msgspec.Struct, gc=False):
    image_url: msgspec.Raw = _NOTHING
    input_audio: msgspec.Raw = _NOTHING
    video_url: msgspec.Raw = _NOTHING
    file: msgspec.Raw = _NOTHING
    document_url: msgspec.Raw = _NOTHING  # Mistral


class _ResponsesItem(msgspec.Struct, gc=False):
    """An item of `input`, or a part of its content or output: their names do not clash."""

    type: str | None = None
    id: str | None = None
    content: msgspec.Raw = _NOTHING
    output: msgspec.Raw = _NOTHING
    image_url: msgspec.Raw = _NOTHING
    detail: Any = None
    file_id: str | None = None
    file_url: msgspec.Raw = _NOTHING
    file_data: msgspec.Raw = _NOTHING
    input_audio: msgspec.Raw = _NOTHING
    tools: msgspec.Raw = _NOTHING


class _Block(msgspec.Struct, gc=False):
    type: str | None = None
    source: msgspec.Raw = _NOTHING
    content: msgspec.Raw = _NOTHING
    file_id: str | None = None


class _Source(msgspec.Struct, gc=False):
    type: str | None = None
    data: msgspec.Raw = _NOTHING
    content: msgspec.Raw = _NOTHING
    file_id: str | None = None


_CHAT_PARTS: Final = msgspec.json.Decoder(list[_ChatPart | str])
_LINK: Final = msgspec.json.Decoder(_Link)
_BLOB: Final = msgspec.json.Decoder(_Blob)
_ITEMS: Final = msgspec.json.Decoder(list[_ResponsesItem | str])
_ITEM: Final = msgspec.json.Decoder(_ResponsesItem)
_TOOLS: Final = msgspec.json.Decoder(list[ResponsesTool])
_BLOCKS: Final = msgspec.json.Decoder(list[_Block | str])
_SOURCE: Final = msgspec.json.Decoder(_Source)


class _Content:
    """What was found so far."""

    def __init__(self) -> None:
        self.media: list[Media] = []
        self.media_bytes = 0
        self.file_ids: list[str] = []

    def _picture(self, url: msgspec.Raw, detail: Any, kind: MediaKind) -> None:
        data = media.inline_data(memoryview(url))
        if data is None:
            self.media.append(Media(kind, detail=counts.text(detail) or "auto"))
            return
        self.media_bytes += len(data)
        size = media.picture_size(data) if kind is MediaKind.IMAGE else media.UNMEASURED
        self.media.append(Media(kind, *size, counts.text(detail) or "auto"))

    def _opaque(self, kind: MediaKind, *inline: msgspec.Raw) -> None:
        """A medium that has no size we could read: audio, a document, a stored file."""
        self.media_bytes += sum(max(0, len(memoryview(data)) - 2) for data in inline)
        self.media.append(Media(kind))


class ChatContent(_Content):
    """Parts of chat messages."""

    def read(self, content: msgspec.Raw) -> None:
        if not bodies.starts_with(content, b"["):
            return
        for part in bodies.read_part(_CHAT_PARTS, content):
            if isinstance(part, _ChatPart):
                self._read_part(part)

    def _read_part(self, part: _ChatPart) -> None:
        if part.image_url is not _NOTHING:
            self._read_link(part.image_url, MediaKind.IMAGE)
        if part.video_url is not _NOTHING:
            self._read_link(part.video_url, MediaKind.VIDEO)
        if part.input_audio is not _NOTHING:
            self._read_blob(part.input_audio, MediaKind.AUDIO)
        if part.file is not _NOTHING:
            self._read_blob(part.file, MediaKind.DOCUMENT)
        if part.document_url is not _NOTHING:
            self._opaque(MediaKind.DOCUMENT)

    def _read_link(self, raw: msgspec.Raw, kind: MediaKind) -> None:
        # Mistral takes the URL itself where OpenAI wants an object.
        is_object = bodies.starts_with(raw, b"{")
        link = bodies.read_part(_LINK, raw) if is_object else _Link(url=raw)
        self._picture(link.url, link.detail, kind)

    def _read_blob(self, raw: msgspec.Raw, kind: MediaKind) -> None:
        if not bodies.starts_with(raw, b"{"):
            self._opaque(kind)
            return
        blob = bodies.read_part(_BLOB, raw)
        if blob.file_id:
            self.file_ids.append(blob.file_id)
        self._opaque(kind, blob.data, blob.file_data)


class ResponsesContent(_Content):
    """Items of a Responses `input`: messages, tool outputs, references to earlier items."""

    def __init__(self) -> None:
        super().__init__()
        self.items = 0
        self.references: list[str] = []
        self.tools: list[ResponsesTool] = []
        """Handed over in the input (`additional_tools`, `tool_search_output`) instead of beside."""

    def read(self, content: msgspec.Raw, depth: int = 0) -> None:
        if not bodies.starts_with(content, b"["):
            return
        _refuse_too_deep(depth)
        for item in bodies.read_part(_ITEMS, content):
            if depth == 0:
                self.items += 1
            if isinstance(item, _ResponsesItem):
                self._read_item(item, depth)

    def _read_item(self, item: _ResponsesItem, depth: int) -> None:
        if item.type == "item_reference" and item.id:
            self.references.append(item.id)
        if bodies.starts_with(item.tools, b"["):
            declared: list[ResponsesTool] = bodies.read_part(_TOOLS, item.tools)
            self.tools += declared
        self.read(item.content, depth + 1)
        self.read(item.output, depth + 1)
        if bodies.starts_with(item.output, b"{"):  # A computer's screenshot.
            self._read_item(bodies.read_part(_ITEM, item.output), depth + 1)
        self._read_media(item)

    def _read_media(self, item: _ResponsesItem) -> None:
        if bodies.starts_with(item.image_url, b'"'):
            self._picture(item.image_url, item.detail, MediaKind.IMAGE)
        if bodies.starts_with(item.file_data, b'"'):
            self._opaque(MediaKind.DOCUMENT, item.file_data)
        elif bodies.starts_with(item.file_url, b'"'):
            self._opaque(MediaKind.DOCUMENT)
        if item.file_id:
            self.file_ids.append(item.file_id)
            self._opaque(MediaKind.DOCUMENT)
        if bodies.starts_with(item.input_audio, b"{"):
            self._opaque(MediaKind.AUDIO, bodies.read_part(_BLOB, item.input_audio).data)


class AnthropicContent(_Content):
    """Content blocks, also those inside tool results and documents."""

    def read(self, content: msgspec.Raw, depth: int = 0) -> None:
        if not bodies.starts_with(content, b"["):
            return
        _refuse_too_deep(depth)
        for block in bodies.read_part(_BLOCKS, content):
            if isinstance(block, str):
                continue
            if block.file_id:
                self.file_ids.append(block.file_id)
                self._opaque(MediaKind.DOCUMENT)
            if block.source is not _NOTHING and bodies.starts_with(block.source, b"{"):
                self._read_source(block, depth)
            if block.content is not _NOTHING:
                self.read(block.content, depth + 1)

    def _read_source(self, block: _Block, depth: int) -> None:
        source = bodies.read_part(_SOURCE, block.source)
        kind = MediaKind.IMAGE if block.type == "image" else MediaKind.DOCUMENT
        if source.type == "text":
            return
        if source.type == "content":
            self.read(source.content, depth + 1)
        elif source.type == "base64" and kind is MediaKind.IMAGE:
            data = memoryview(source.data)[1:-1]
            self.media_bytes += len(data)
            self.media.append(Media(kind, *media.picture_size(data)))
        else:
            if source.file_id:
                self.file_ids.append(source.file_id)
            self._opaque(kind, source.data)


def _refuse_too_deep(depth: int) -> None:
    if depth > CONTENT_DEPTH_MAX:
        raise InvalidRequest(f"Content is nested more than {CONTENT_DEPTH_MAX} deep.")
