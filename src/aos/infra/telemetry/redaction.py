"""Keeps secrets out of what is written down: log lines, and prompts where they are stored."""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[redacted]"

_DEPTH_MAX: Final = 8
"""How deep a value is looked into; what lies deeper is hidden whole."""

_SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|passw|secret|api[-_]?key|aos[-_]key|token$|credential|private[-_]?key",
    re.IGNORECASE,
)
_SECRETS: Final = re.compile(
    r"""
      (?P<keep>
        \b(?:bearer|basic)\s+                       # Authorization: Bearer …
      | \b(?:x-api-key|x-aos-key)["']?\s*[:=]\s*["']?  # header: value
      | ://[^/\s:@]*:(?=[^/\s@]+@)                  # scheme://user:password@host
      )
      [^\s"',@]+
    | \baos_sk_[A-Za-z0-9_-]+
    | \bsk-[A-Za-z0-9_-]{8,}
    | \b(?:gsk|hf|fw|r8|jina)_[A-Za-z0-9]{20,}      # Groq, Hugging Face, Fireworks, Replicate, Jina
    | \b(?:xai|pplx|csk|nvapi|glpat)-[A-Za-z0-9_-]{16,}  # xAI, Perplexity, Cerebras, NVIDIA, GitLab
    | \b(?:tgp_v1|github_pat)_[A-Za-z0-9_-]{20,}    # Together, GitHub
    | \bABSK[A-Za-z0-9+/=]{20,}                    # Bedrock
    | \b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}
    | \bgh[pousr]_[A-Za-z0-9]{20,}
    | \bxox[abposr]-[A-Za-z0-9-]{10,}
    | \bAIza[A-Za-z0-9_-]{30,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def redact_text(text: str) -> str:
    """The text without what looks like a key, a token or a password."""
    return _SECRETS.sub(lambda found: (found["keep"] or "") + HIDDEN, text)


def redact(value: Any, depth: int = 0) -> Any:
    """The same for anything that JSON can hold; a field whose name says secret is hidden whole."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return HIDDEN if depth >= _DEPTH_MAX else _redact_inside(value, depth + 1)
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return redact_text(text)


def _redact_inside(value: Any, depth: int) -> Any:
    if not isinstance(value, Mapping):
        return [redact(item, depth) for item in value]
    return {
        redact_text(str(name)): HIDDEN
        if _named_secret(str(name)) and item is not None and not isinstance(item, bool)
        else redact(item, depth)
        for name, item in value.items()
    }


def _named_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None
