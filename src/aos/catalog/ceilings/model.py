"""Output ceilings, by family of names. The price tables do not carry them.

The gateway sets one as the request's own maximum where a caller sets none: a figure that is too
high makes the provider refuse the request, one that is too low shortens answers. So a family stands
here only with its maker's figure; all others are unknown (None).
"""

import re
from dataclasses import dataclass
from typing import Final

ANTHROPIC: Final = "https://docs.claude.com/en/docs/about-claude/models/overview"
OPENAI: Final = "https://platform.openai.com/docs/models"
GOOGLE: Final = "https://ai.google.dev/gemini-api/docs/models"
DEEPSEEK: Final = "https://api-docs.deepseek.com/quick_start/pricing"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """`names` is a regular expression over the whole lower-case name, or its beginning."""

    provider: str
    names: str
    output_tokens_max: int
    source: str


CEILINGS: Final[tuple[Ceiling, ...]] = (
    Ceiling("anthropic", r"claude-2|claude-v", 4_096, ANTHROPIC),
    Ceiling("anthropic", r"claude-3-(opus|sonnet|haiku)", 4_096, ANTHROPIC),
    Ceiling("anthropic", r"claude-3[-.]5-", 8_192, ANTHROPIC),
    Ceiling("anthropic", r"claude-3[-.]7-", 64_000, ANTHROPIC),  # 128,000 with a beta header.
    Ceiling("anthropic", r"claude-opus-4(-0|-1|-2025\d{4}|$)", 32_000, ANTHROPIC),
    Ceiling("anthropic", r"claude-sonnet-4(-0|-2025\d{4}|$)", 64_000, ANTHROPIC),
    Ceiling("anthropic", r"claude-(opus|sonnet|haiku)-4-5", 64_000, ANTHROPIC),
    Ceiling("openai", r"gpt-3\.5-turbo(-0125|-1106|-instruct.*|$)", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4(-0314|-0613|$)", 8_192, OPENAI),
    Ceiling("openai", r"gpt-4-(turbo|vision|1106|0125)", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o-2024-05-13$", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o(-mini)?-realtime", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o(-mini)?-(transcribe|tts)", 2_000, OPENAI),
    Ceiling("openai", r"(chat)?gpt-4o", 16_384, OPENAI),
    Ceiling("openai", r"gpt-4\.1", 32_768, OPENAI),
    Ceiling("openai", r"gpt-4\.5-preview", 16_384, OPENAI),
    Ceiling("openai", r"o1-preview", 32_768, OPENAI),
    Ceiling("openai", r"o1-mini", 65_536, OPENAI),
    Ceiling("openai", r"o1|o3|o4-mini|codex-mini", 100_000, OPENAI),
    Ceiling("openai", r"gpt-5(\.\d)?-chat", 16_384, OPENAI),
    Ceiling("openai", r"gpt-5-pro", 272_000, OPENAI),
    Ceiling("openai", r"gpt-5(-mini|-nano|-codex|-2025-08-07|$)", 128_000, OPENAI),
    Ceiling("openai", r"gpt-5\.[12](-codex.*|-2025-\d\d-\d\d|$)", 128_000, OPENAI),
    Ceiling("google", r"gemini-(1\.5-|2\.0-flash)", 8_192, GOOGLE),
    Ceiling("google", r"gemini-2\.5-flash-image", 32_768, GOOGLE),
    Ceiling(
        "google",
        r"gemini-2\.5-(pro|flash)(-lite|-preview-\d\d-\d{2,4}|-lite-preview-.*|$)",
        65_536,
        GOOGLE,
    ),
    Ceiling("deepseek", r"deepseek-chat$", 8_192, DEEPSEEK),
    Ceiling("deepseek", r"deepseek-reasoner$", 65_536, DEEPSEEK),
)

_COMPILED: Final = tuple(
    (ceiling.provider, re.compile(ceiling.names), ceiling) for ceiling in CEILINGS
)


def published(provider: str, name: str) -> Ceiling | None:
    """The first family of this maker that the lower-case name begins like."""
    for maker, names, ceiling in _COMPILED:
        if maker == provider and names.match(name):
            return ceiling
    return None
