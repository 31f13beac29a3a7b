"""Server-sent events, cut from a stream of bytes at any split, with every byte accounted for."""

from aos.messages.events.rules import EventSplitter, data_of

__all__ = ["EventSplitter", "data_of"]
