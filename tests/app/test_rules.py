"""What the first lines on the terminal promise is so."""

from pathlib import Path

from aos.app.rules import banner
from aos.identity import AdminKey
from aos.infra.settings import Settings
from aos.providers import build_providers

PATH = Path("/home/ada/.aos/admin-key")


def told(key: AdminKey) -> str:
    settings = Settings()
    return banner(settings, 8000, key, build_providers(settings.providers, environment={}))


def test_a_key_that_was_just_made_is_shown_once() -> None:
    text = told(AdminKey("aos_sk_fresh", PATH, created=True))
    assert f"aos_sk_fresh   (shown once; kept in {PATH})" in text
    assert f"Bearer $(cat {PATH})" in text


def test_a_later_start_names_the_file_and_shows_no_key() -> None:
    text = told(AdminKey("aos_sk_kept", PATH, created=False))
    assert "aos_sk_kept" not in text
    assert f"kept in {PATH}" in text


def test_a_home_without_the_key_says_so_and_how_to_get_in() -> None:
    text = told(AdminKey(None, None, created=False))
    assert "cat " not in text
    assert "not kept in this home" in text
    assert "AOS_API_KEY" in text
    assert "Bearer $AOS_KEY" in text


def test_the_environments_key_is_not_shown() -> None:
    text = told(AdminKey("secret-of-the-environment", None, created=True))
    assert "secret-of-the-environment" not in text
    assert "Bearer $AOS_API_KEY" in text
