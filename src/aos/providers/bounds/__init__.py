"""The most that a call can use, in tokens, without asking any tokenizer."""

from aos.providers.bounds.model import Profile, no_table
from aos.providers.bounds.rules import ceilings, estimate_cut, text_tokens_max

__all__ = ["Profile", "ceilings", "estimate_cut", "no_table", "text_tokens_max"]
