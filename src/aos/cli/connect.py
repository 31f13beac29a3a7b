"""The settings that point a client at this gateway, ready to paste."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from aos.cli.client import gateway_url, home
from aos.cli.errors import Misused
from aos.cli.output import Json, print_json


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client needs: variables, and where it has one, a file and its text."""

    environment: dict[str, str]
    notes: tuple[str, ...] = ()
    file: str | None = None
    text: str | None = None
    unset: tuple[str, ...] = ()


def openai(url: str, key: str, model: str | None) -> Connection:
    text = f"""\
from openai import OpenAI

client = OpenAI()  # Reads OPENAI_BASE_URL and OPENAI_API_KEY.
answer = client.chat.completions.create(
    model="{model or "gpt-4o-mini"}", messages=[{{"role": "user", "content": "Say hello."}}]
)
print(answer.choices[0].message.content)"""
    variables = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": key}
    return Connection(variables, file="hello.py", text=text)


def anthropic(url: str, key: str, model: str | None) -> Connection:
    text = f"""\
from anthropic import Anthropic

client = Anthropic()  # Reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
answer = client.messages.create(
    model="{model or "claude-sonnet-5"}",
    max_tokens=100,
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(answer.content[0].text)"""
    variables = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": key}
    return Connection(variables, file="hello.py", text=text)


def claude_code(url: str, key: str, model: str | None) -> Connection:
    variables = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
    }
    if model is not None:
        variables["ANTHROPIC_MODEL"] = model
    return Connection(
        variables,
        notes=(
            "Start `claude` in the same shell; /status shows the address and the token's name.",
            'To keep them, put the same names under "env" in ~/.claude/settings.json.',
            (
                "A budget holds the 128,000 output tokens that it may ask for: with one of a few "
                "dollars, export CLAUDE_CODE_MAX_OUTPUT_TOKENS=32000."
            ),
        ),
        unset=("ANTHROPIC_API_KEY",),
    )


def codex(url: str, key: str, model: str | None) -> Connection:
    text = f"""\
model = "{model or "gpt-6.1-sol"}"
model_provider = "aos"
web_search = "disabled"

[model_providers.aos]
name = "AOS"
base_url = "{url}/v1"
env_key = "AOS_KEY"
wire_api = "responses\""""
    return Connection(
        {"AOS_KEY": key},
        notes=(
            "The first three lines go above every [table] of the file.",
            "Codex's search has no end that a budget could hold: with a budget it stays disabled.",
        ),
        file="~/.codex/config.toml",
        text=text,
    )


def langgraph(url: str, key: str, model: str | None) -> Connection:
    text = f"""\
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="{model or "gpt-4o-mini"}",
    base_url="{url}/v1",
    api_key=os.environ["AOS_KEY"],
    stream_usage=True,
)
print(model.invoke("Say hello.").content)"""
    return Connection(
        {"AOS_KEY": key},
        notes=(
            "Pass `model` to any LangGraph agent. ChatAnthropic takes the address without /v1.",
        ),
        file="model.py",
        text=text,
    )


CLIENTS: Final[dict[str, Callable[[str, str, str | None], Connection]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "claude-code": claude_code,
    "codex": codex,
    "langgraph": langgraph,
}


def connect(
    client: Annotated[str, typer.Argument(help=f"One of {', '.join(CLIENTS)}.")],
    *,
    model: Annotated[str | None, typer.Option(help="A model, provider/model or alias.")] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help='Only the shell\'s lines, for eval "$(…)".')
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the exact settings that point a client at this gateway."""
    build = CLIENTS.get(client)
    if build is None:
        raise Misused(f"{client} is not one of {', '.join(CLIENTS)}")
    connection = build(gateway_url(), _key_expression(), model)
    if as_json:
        print_json(
            {
                "client": client,
                "environment": connection.environment,
                "unset": list(connection.unset),
                "file": connection.file,
                "text": connection.text,
                "notes": list(connection.notes),
            }
        )
        return
    for name in connection.unset:
        print(f"unset {name}")
    for name, value in connection.environment.items():
        print(f"export {name}={_quoted(value)}")
    if shell:
        return
    if connection.text is not None:
        print(f"\n# {connection.file}\n{connection.text}")
    for note in connection.notes:
        print(f"\n# {note}")


def _key_expression() -> str:
    """What the shell turns into the key: the secret itself stays off the screen."""
    return "$AOS_KEY" if os.environ.get("AOS_KEY") else f"$(cat {home() / 'admin-key'})"


def _quoted(value: str) -> str:
    return json.dumps(value)
