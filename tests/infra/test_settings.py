"""Settings are the declared variables and nothing else that happens to be in the environment."""

import traceback
from pathlib import Path

import pytest

from aos.infra.errors import InvalidSettings
from aos.infra.settings import (
    DatabaseSettings,
    LeaseSettings,
    ProviderSettings,
    ServerSettings,
    Settings,
)


def test_a_variable_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOS_PORT", "9001")
    monkeypatch.setenv("AOS_HOME", "/srv/aos")
    monkeypatch.setenv("ANTHROPIC_API_BASE", "https://mirror.test")
    settings = Settings()
    assert settings.server.port == 9001
    assert settings.server.home == Path("/srv/aos")
    assert settings.providers.anthropic_base_url == "https://mirror.test"


def test_variables_named_as_our_fields_are_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells and hosts set HOME, HOST, PORT and URL for their own ends."""
    for name, value in {"HOME": "/root", "HOST": "build-7", "PORT": "1", "URL": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AOS_HOME", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    server = ServerSettings()
    assert (server.home, server.host, server.port) == (Path("~/.aos"), "127.0.0.1", 8000)
    assert server.home_path == Path("/root/.aos")
    assert DatabaseSettings().url is None


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("AOS_PORT", "")
    assert ProviderSettings().openai_api_key is None
    assert ServerSettings().port == 8000


def test_a_group_is_made_by_name_where_code_makes_it() -> None:
    assert LeaseSettings(beat_seconds=0.5).beat_seconds == 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AOS_PORT", "abc"),
        ("AOS_PORT", "70000"),
        ("AOS_LEASE_BEAT_SECONDS", "-1"),
        ("AOS_ENV", "prod"),
        ("AOS_UNPRICED_RESERVE_USD", "much"),
        ("AOS_UNPRICED_RESERVE_USD", "-1"),
        ("DATABASE_URL", "mysql://ada:hunter22@db.test/aos"),
        ("DATABASE_URL", "postgresql://ada:hunter22%zz@db.test/aos"),
        ("DATABASE_URL", "host=db.test password=hunter22"),
        ("DATABASE_DIRECT_URL", "https://ada:hunter22@db.test/aos"),
    ],
)
def test_what_cannot_be_is_told_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name) as caught:
        Settings()
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter22" not in shown


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_an_address_of_a_postgresql_is_taken(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://ada:p%40ss@db.test:6432/aos?sslmode=require")
    assert Settings().database.url
