"""The settings are what the clients' own files and shells accept."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aos.cli.connect import CLIENTS
from aos.cli.program import app

runner = CliRunner()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AOS_URL", "http://gate.test:9000/")
    monkeypatch.setenv("AOS_HOME", str(tmp_path))
    monkeypatch.delenv("AOS_KEY", raising=False)
    (tmp_path / "admin-key").write_text("aos_secret\n")
    return tmp_path


def connect(*arguments: str) -> str:
    result = runner.invoke(app, ["connect", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_the_address_and_never_sees_the_secret(
    client: str, environment: Path
) -> None:
    text = connect(client)
    assert "http://gate.test:9000" in text
    assert "aos_secret" not in text
    settings = json.loads(connect(client, "--json"))
    assert settings["client"] == client
    assert settings["environment"]


def test_the_printed_shell_lines_put_the_key_in_the_environment(environment: Path) -> None:
    lines = connect("openai", "--shell")
    done = subprocess.run(
        ["sh", "-c", 'eval "$1"; echo "$OPENAI_BASE_URL $OPENAI_API_KEY"', "sh", lines],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "http://gate.test:9000/v1 aos_secret\n"


def test_codex_gets_a_configuration_file(environment: Path) -> None:
    settings = json.loads(connect("codex", "--model", "my-alias", "--json"))
    assert tomllib.loads(settings["text"]) == {
        "model": "my-alias",
        "model_provider": "aos",
        "web_search": "disabled",
        "model_providers": {
            "aos": {
                "name": "AOS",
                "base_url": "http://gate.test:9000/v1",
                "env_key": "AOS_KEY",
                "wire_api": "responses",
            }
        },
    }
    assert list(settings["environment"]) == ["AOS_KEY"]


def test_the_guide_shows_what_is_printed(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOS_URL", "http://127.0.0.1:8000")
    guide = (Path(__file__).parents[2] / "docs/how-to/connect-a-client.md").read_text()
    assert json.loads(connect("codex", "--json"))["text"] in guide
    for name, value in json.loads(connect("claude-code", "--json"))["environment"].items():
        assert f"export {name}=" in guide
        assert "TOKEN" in name or f'"{value}"' in guide


def test_claude_code_appends_the_version_itself_and_a_second_key_is_removed(
    environment: Path,
) -> None:
    settings = json.loads(connect("claude-code", "--json"))
    assert settings["environment"]["ANTHROPIC_BASE_URL"] == "http://gate.test:9000"
    assert "ANTHROPIC_AUTH_TOKEN" in settings["environment"]
    assert settings["unset"] == ["ANTHROPIC_API_KEY"]


@pytest.mark.parametrize("client", ["openai", "anthropic", "langgraph"])
def test_the_printed_program_is_python(client: str, environment: Path) -> None:
    compile(json.loads(connect(client, "--json"))["text"], client, "exec")


def test_an_unknown_client_lists_the_known_ones(environment: Path) -> None:
    result = runner.invoke(app, ["connect", "cursor"])
    assert "claude-code" in str(result.exception)
