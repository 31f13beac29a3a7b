"""What `GET /v1/models` says can be called."""

from tests.houses import open_gate
from tests.upstreams import by_dialect, fake_provider

ALIASES = {"fast": "gpt-4o-mini", "typo": "no-such-model", "elsewhere": "groq/llama-3.3-70b"}


async def test_an_alias_that_leads_nowhere_is_left_out_and_fails_nothing_else(
    priced_url: str,
) -> None:
    async with fake_provider(by_dialect) as provider, open_gate(priced_url, provider.url) as gate:
        body = {"document": {"version": 1, "aliases": ALIASES}}
        previewed = await gate.api("POST", "/api/v1/config/apply", {**body, "dry_run": True})
        applied = await gate.api("POST", "/api/v1/config/apply", body)
        names = {model["id"] for model in (await gate.api("GET", "/v1/models"))["data"]}
    assert {"fast", "gpt-4o-mini"} <= names
    assert not {"typo", "elsewhere"} & names
    warned = applied["warnings"]
    assert [warning.partition(":")[0] for warning in warned] == ["alias elsewhere", "alias typo"]
    assert previewed["warnings"] == warned


async def test_models_that_no_path_of_ours_can_serve_are_not_listed(priced_url: str) -> None:
    async with fake_provider(by_dialect) as provider, open_gate(priced_url, provider.url) as gate:
        names = [model["id"] for model in (await gate.api("GET", "/v1/models"))["data"]]
    assert "text-embedding-3-small" in names
    elsewhere = ("realtime", "-tts", "transcribe", "whisper", "gpt-image", "dall-e")
    assert not [
        name for name in names if name.startswith("ft-") or any(e in name for e in elsewhere)
    ]
