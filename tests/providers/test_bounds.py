"""A bound is never less than what can be billed, and says why where there is none."""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aos.catalog import Model
from aos.messages import Dialect, Media, MediaKind, ModelCall, Reported, TokenUsage, reader
from aos.providers import anthropic, bounds, estimate_cut, google, mistral, openai, x_ai
from aos.providers.bounds import Profile
from aos.providers.model import Ceilings

CHAT, RESPONSES = reader(Dialect.OPENAI_CHAT), reader(Dialect.OPENAI_RESPONSES)
EMBEDDINGS, MESSAGES = reader(Dialect.OPENAI_EMBEDDINGS), reader(Dialect.ANTHROPIC_MESSAGES)
MODEL = Model("p", "some-model", "Some model", context_window=200_000, output_tokens_max=64_000)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    st.sampled_from('\ufdfa\ufdfb\u33ad\u0390\U0001d160ﬃa\\"u\n'), max_size=12
)

FORMS: list[tuple[int, Callable[[str], str]]] = [
    (1, lambda text: text),
    (3, lambda text: unicodedata.normalize("NFC", text)),
    (11, lambda text: unicodedata.normalize("NFKC", text)),
]


def chat(**fields: Any) -> ModelCall:
    body = {"model": "some-model", "messages": [{"role": "user", "content": "hi"}], **fields}
    return CHAT.read_call(json.dumps(body).encode())


def messages(**fields: Any) -> ModelCall:
    body = {"model": "m", "max_tokens": 1000, "messages": [], **fields}
    return MESSAGES.read_call(json.dumps(body).encode())


def responses(**fields: Any) -> ModelCall:
    body = {"model": "m", "max_output_tokens": 1000, "input": "hi", **fields}
    return RESPONSES.read_call(json.dumps(body).encode())


@given(texts=st.lists(TEXT, max_size=4), ascii_only=st.booleans(), form=st.sampled_from([0, 1, 2]))
@settings(max_examples=200, deadline=None)
def test_normalised_text_has_no_more_bytes_than_the_bound(
    texts: list[str], ascii_only: bool, form: int
) -> None:
    """A byte-level tokenizer makes at most one token a byte, of the text it is given."""
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]},
        ensure_ascii=ascii_only,
    )
    growth, normalise = FORMS[form]
    seen = sum(len(normalise(text).encode()) for text in texts)
    call = CHAT.read_call(body.encode())
    assert bounds.text_tokens_max(call, Profile(wide_growth=growth)) >= seen


def test_text_is_capped_at_the_window_and_output_at_the_callers_ceiling() -> None:
    call = chat(max_tokens=50, n=3, messages=[{"role": "user", "content": "x" * 400_000}])
    assert bounds.ceilings(call, MODEL, Profile()) == Ceilings(200_000, 150)


def test_without_a_ceiling_the_catalogue_has_one_or_else_the_window() -> None:
    assert bounds.ceilings(chat(), MODEL, Profile()).output_tokens == 64_000
    unknown = replace(MODEL, output_tokens_max=None)
    assert bounds.ceilings(chat(), unknown, Profile()).output_tokens == 200_000
    nothing = replace(unknown, context_window=None)
    assert bounds.ceilings(chat(), nothing, Profile()) == Ceilings(None, None, because="max_tokens")
    assert bounds.ceilings(chat(max_tokens=5), nothing, Profile()).input_tokens is not None


def test_embeddings_have_no_output_and_a_window_for_each_text() -> None:
    body = json.dumps({"model": "m", "input": ["x" * 900] * 3}).encode()
    small = replace(MODEL, context_window=500)
    assert bounds.ceilings(EMBEDDINGS.read_call(body), small, Profile()) == Ceilings(1500, 0)


@pytest.mark.parametrize(
    ("call", "because"),
    [
        (responses(background=True), "background"),
        (responses(tools=[{"type": "web_search"}]), "web_search"),
        (responses(tools=[{"type": "image_generation"}], max_tool_calls=1), "image_generation"),
        (responses(tools=[{"type": "mcp", "server_label": "x"}], max_tool_calls=1), "mcp"),
        (responses(tools=[{"type": "invented_later"}]), "invented_later"),
        (responses(tools=[{"type": "shell", "environment": {"type": "container_auto"}}]), "shell"),
        (messages(tools=[{"type": "web_search_20260318", "name": "x"}]), "web_search_20260318"),
        (messages(tools=[{"type": "code_execution_20250825"}]), "code_execution_20250825"),
        (messages(tools=[{"type": "advisor_20260301", "max_uses": 1}]), "advisor_20260301"),
        (messages(mcp_servers=[{"type": "url", "url": "https://x"}]), "mcp_servers"),
        (messages(fallbacks=[{"model": "m2"}]), "fallbacks"),
        (chat(tools=[{"type": "web_search"}]), "web_search"),
        (chat(search_parameters={"mode": "on"}), "search_parameters"),
        (chat(plugins=[{"id": "web"}]), "plugins"),
    ],
)
def test_what_has_no_end_says_why(call: ModelCall, because: str) -> None:
    assert bounds.ceilings(call, MODEL, Profile()) == Ceilings(None, None, because=because)


@pytest.mark.parametrize(
    "call",
    [
        responses(previous_response_id="resp_1"),
        responses(conversation="conv_1"),
        responses(conversation={"id": "conv_1"}),
        responses(prompt={"id": "pmpt_1"}),
        responses(input=[{"type": "item_reference", "id": "rs_1"}]),
        responses(
            input=[{"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}]
        ),
        responses(
            input=[{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]
        ),
        messages(container="container_1"),
        messages(thread={"type": "continue", "previous_message_id": "msg_1"}),
        messages(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [
                                {"type": "image", "source": {"type": "url", "url": "https://x"}}
                            ],
                        }
                    ],
                }
            ]
        ),
        messages(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {
                                "type": "base64",
                                "media_type": "application/pdf",
                                "data": "JVBERi0=",
                            },
                        }
                    ],
                }
            ]
        ),
        messages(tools=[{"type": "computer_toolset_20260801"}]),
        chat(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
                    ],
                }
            ]
        ),
        chat(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]),
    ],
)
def test_what_cannot_be_seen_counts_as_the_whole_window(call: ModelCall) -> None:
    bound = bounds.ceilings(call, MODEL, anthropic.PROFILE)
    assert bound.input_tokens == 200_000
    nowhere = replace(MODEL, context_window=None)
    assert bounds.ceilings(call, nowhere, anthropic.PROFILE).because is not None


def test_each_declared_use_of_a_server_tool_may_fill_the_window_again() -> None:
    call = messages(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 4}])
    assert bounds.ceilings(call, MODEL, anthropic.PROFILE) == Ceilings(
        1_000_000, 1000, web_searches=4, clampable=False
    )
    call = responses(
        tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "web_search"}],
        max_tool_calls=2,
    )
    bound = bounds.ceilings(call, MODEL, openai.PROFILE)
    assert (bound.input_tokens, bound.web_searches) == (600_000, 2)


def test_compaction_may_write_a_summary_under_the_same_ceiling() -> None:
    call = messages(context_management={"edits": [{"type": "compact_20260112"}]})
    bound = bounds.ceilings(call, MODEL, anthropic.PROFILE)
    assert (bound.input_tokens, bound.output_tokens) == (400_000, 2000)
    call = messages(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})
    assert bounds.ceilings(call, MODEL, anthropic.PROFILE).output_tokens == 1000


def test_thinking_beyond_the_ceiling_is_held_too() -> None:
    call = messages(thinking={"type": "enabled", "budget_tokens": 5000})
    assert bounds.ceilings(call, MODEL, anthropic.PROFILE).output_tokens == 6000


def test_groks_ceiling_does_not_bind_its_reasoning() -> None:
    grok = replace(MODEL, id="grok-4.5", output_tokens_max=None)
    bound = bounds.ceilings(chat(max_tokens=64), grok, x_ai.PROFILE)
    assert (bound.output_tokens, bound.clampable) == (200_000, False)
    fast = replace(MODEL, id="grok-4-fast-non-reasoning")
    assert bounds.ceilings(chat(max_tokens=64), fast, x_ai.PROFILE) == Ceilings(
        bounds.ceilings(chat(max_tokens=64), fast, Profile()).input_tokens, 64
    )


@pytest.mark.parametrize(
    ("table", "model", "width", "height", "billed"),
    [
        # Billed counts, from the pages that the tables name.
        (openai.picture_tokens, "gpt-4o", 1024, 1024, 765),
        (openai.picture_tokens, "gpt-4o", 2048, 4096, 1105),
        (openai.picture_tokens, "gpt-4o-mini", 128, 64, 8500),
        (openai.picture_tokens, "gpt-4.1-mini", 4000, 1474, 2488),
        (openai.picture_tokens, "gpt-5.4", 1600, 1600, 3008),
        (openai.picture_tokens, "gpt-6-astra", 4032, 3024, 14_364),
        (anthropic.picture_tokens, "claude-opus-5-5", 1920, 1080, 2_691),
        (anthropic.picture_tokens, "claude-opus-5-5", 4032, 3024, 3_928),
        (anthropic.picture_tokens, "claude-haiku-4-5", 1024, 1024, 1_369),
        (google.picture_tokens, "gemini-3-pro-preview", 4032, 3024, 1_120),
        (google.picture_tokens, "gemini-2.5-flash", 960, 540, 258 * 6),
        (x_ai.picture_tokens, "grok-4", 4032, 3024, 1_792),
        (mistral.picture_tokens, "pixtral-12b", 4032, 3024, 4_160),
    ],
)
def test_picture_tables_bound_what_was_billed(
    table: Any, model: str, width: int, height: int, billed: int
) -> None:
    assert table(Media(MediaKind.IMAGE, width, height), model) >= billed
    assert table(Media(MediaKind.IMAGE), model) is None
    assert table(Media(MediaKind.DOCUMENT, width, height), model) is None


def test_a_cut_stream_is_posted_at_its_input_bound_and_received_bytes() -> None:
    bound = Ceilings(1_000, 500)
    call = chat(stream=True)

    def cut(call: ModelCall, reported: Reported, *, hidden: bool) -> TokenUsage:
        return estimate_cut(call, bound, reported, output_bytes=120, hidden_reasoning=hidden)

    none = Reported(complete=False)
    assert cut(call, none, hidden=False) == TokenUsage(input_tokens=1000, output_tokens=120)
    assert cut(call, none, hidden=True).output_tokens == 500
    assert cut(chat(), none, hidden=False).output_tokens == 500
    begun = TokenUsage(input_tokens=40, cache_read_tokens=30, output_tokens=1)
    told = Reported(usages=((None, begun),), complete=False)
    assert cut(call, told, hidden=False) == TokenUsage(
        input_tokens=40, cache_read_tokens=30, output_tokens=120
    )


def test_a_window_that_a_header_opens_counts_only_for_calls_that_open_it() -> None:
    sonnet = replace(MODEL, id="claude-sonnet-4-5")
    call = messages(messages=[{"role": "user", "content": "x" * 2_000_000}])
    assert bounds.ceilings(call, sonnet, anthropic.PROFILE).input_tokens == 200_000
    opened = replace(call, long_context=True)
    assert bounds.ceilings(opened, sonnet, anthropic.PROFILE).input_tokens == 1_000_000
    assert bounds.ceilings(opened, MODEL, anthropic.PROFILE).input_tokens == 200_000
