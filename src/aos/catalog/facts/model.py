"""Output ceilings, whole context windows, and surcharges, by family of names, with their source.

The gateway sets an output ceiling as the request's own maximum where a caller sets none: a figure
that is too high makes the provider refuse the request, one that is too low shortens answers. A
context window caps what a request is held for: one that is too small lets a call overspend, and
price tables like to round it down. So a family stands here only with its maker's figure; what is
not known stays None.
"""

import re
from dataclasses import dataclass
from typing import Final

ANTHROPIC: Final = "https://platform.claude.com/docs/en/models/overview"
OPENAI: Final = "https://developers.openai.com/api/docs/models"
GOOGLE: Final = "https://ai.google.dev/gemini-api/docs/models"
DEEPSEEK: Final = "https://api-docs.deepseek.com/quick_start/pricing"

MILLION: Final = 1_048_576
"""What Google and DeepSeek call a million tokens."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Tokens. `names` is a regular expression that a lower-case name begins with.

    `context_window` None: the price table's figure is the maker's.
    """

    provider: str
    names: str
    output_tokens_max: int | None
    source: str
    context_window: int | None = None


CEILINGS: Final[tuple[Ceiling, ...]] = (
    Ceiling("anthropic", r"claude-2|claude-v", 4_096, ANTHROPIC),
    Ceiling("anthropic", r"claude-3-(opus|sonnet|haiku)", 4_096, ANTHROPIC),
    Ceiling("anthropic", r"claude-3[-.]5-", 8_192, ANTHROPIC),
    Ceiling("anthropic", r"claude-3[-.]7-", 64_000, ANTHROPIC),  # 128,000 with a beta header.
    Ceiling("anthropic", r"claude-opus-4(-0|-1|-2025\d{4}|$)", 32_000, ANTHROPIC),
    Ceiling("anthropic", r"claude-sonnet-4(-0|-2025\d{4}|$)", 64_000, ANTHROPIC),
    Ceiling("anthropic", r"claude-(opus|sonnet|haiku)-4-5", 64_000, ANTHROPIC),
    Ceiling("anthropic", r"claude-(opus|sonnet)-4-[678]", 128_000, ANTHROPIC, 1_000_000),
    Ceiling(
        "anthropic", r"claude-(opus|sonnet|haiku|fable|mythos)-5", 128_000, ANTHROPIC, 1_000_000
    ),
    Ceiling("openai", r"gpt-3\.5-turbo(-0125|-1106|-instruct.*|$)", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4(-0314|-0613|$)", 8_192, OPENAI),
    Ceiling("openai", r"gpt-4-(turbo|vision|1106|0125)", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o-2024-05-13$", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o(-mini)?-realtime", 4_096, OPENAI),
    Ceiling("openai", r"gpt-4o(-mini)?-(transcribe|tts)", 2_000, OPENAI),
    Ceiling("openai", r"(chat)?gpt-4o", 16_384, OPENAI),
    Ceiling("openai", r"gpt-4\.1", 32_768, OPENAI, 1_047_576),
    Ceiling("openai", r"gpt-4\.5-preview", 16_384, OPENAI),
    Ceiling("openai", r"o1-preview", 32_768, OPENAI),
    Ceiling("openai", r"o1-mini", 65_536, OPENAI),
    Ceiling("openai", r"o1|o3|o4-mini|codex-mini", 100_000, OPENAI),
    Ceiling("openai", r"gpt-5([.-]\d)?-chat", 16_384, OPENAI),
    Ceiling("openai", r"gpt-5-pro", 272_000, OPENAI),
    Ceiling("openai", r"gpt-5(-mini|-nano|-codex|-2025-08-07|$)", 128_000, OPENAI),
    Ceiling("openai", r"gpt-5\.([12](-codex.*|-pro.*|-2025-\d\d-\d\d|$)|3-codex)", 128_000, OPENAI),
    Ceiling("openai", r"gpt-5\.4-(mini|nano)", 128_000, OPENAI),
    Ceiling(
        "openai",
        r"gpt-5\.[456](-pro|-sol|-terra|-luna|-2026-\d\d-\d\d|$)",
        128_000,
        OPENAI,
        1_050_000,
    ),
    Ceiling("openai", r"gpt-6(\.1)?-(sol|astra|luna|terra)", 128_000, OPENAI, 1_050_000),
    Ceiling("google", r"gemini-1\.5-pro|gemini-pro-1\.5", 8_192, GOOGLE, 2 * MILLION),
    Ceiling(
        "google", r"gemini-1\.5-flash|gemini-flash-1\.5|gemini-2\.0-flash", 8_192, GOOGLE, MILLION
    ),
    Ceiling("google", r"gemini-2\.5-flash-image", 32_768, GOOGLE, MILLION),
    Ceiling(
        "google",
        r"gemini-2\.5-(pro|flash)(-lite|-preview-\d\d-\d{2,4}|-lite-preview-.*|$)",
        65_536,
        GOOGLE,
        MILLION,
    ),
    Ceiling(
        "google",
        r"gemini-3(\.\d)?-(pro|flash|flash-lite)(-preview(-customtools)?|$)",
        65_536,
        GOOGLE,
        MILLION,
    ),
    # What one plain request generates; more only streamed or by continuation.
    Ceiling("google", r"gemini-4-argon", 32_768, GOOGLE, MILLION),
    Ceiling("deepseek", r"deepseek-chat$", 8_192, DEEPSEEK, MILLION),
    Ceiling("deepseek", r"deepseek-reasoner$", 65_536, DEEPSEEK, MILLION),
    Ceiling("deepseek", r"deepseek-(v4-flash|v4-pro|flash)", 384_000, DEEPSEEK, MILLION),
)

SURCHARGES: Final = (
    # https://platform.claude.com/docs/en/manage-claude/data-residency: from Opus 4.6 on, all token
    # prices x 1.1. A workspace can set it as its default, so a request need not say so.
    (
        "anthropic",
        r"claude-((opus|sonnet)-4-[678]|(opus|sonnet|haiku|fable|mythos)-5)",
        ("region", "us", "1.1"),
    ),
)

MARKERS: Final = (
    # Capacity bought beforehand: its tokens cost no more than the listed price.
    ("anthropic", r"claude", ("service_tier", "priority")),
)

_COMPILED: Final = tuple(
    (ceiling.provider, re.compile(ceiling.names), ceiling) for ceiling in CEILINGS
)


def ceiling_of(provider: str, name: str) -> Ceiling | None:
    """The first family of this maker that the lower-case name begins like."""
    for maker, names, ceiling in _COMPILED:
        if maker == provider and names.match(name):
            return ceiling
    return None


def surcharges_of(provider: str, name: str) -> list[tuple[str, str, str]]:
    """`(key, value, factor)` for all token prices of this model."""
    return [
        surcharge
        for maker, names, surcharge in SURCHARGES
        if maker == provider and re.match(names, name)
    ]


def markers_of(provider: str, name: str) -> list[tuple[str, str]]:
    """`(key, value)` that are known to be no dearer than the listed price of this model."""
    return [
        marker for maker, names, marker in MARKERS if maker == provider and re.match(names, name)
    ]
