"""Writes settings.md, errors.md and .env.example from the code, so that they cannot lie.

Run `make reference`; a test says when they are out of date.
"""

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic_settings import BaseSettings

import aos
from aos.infra import settings
from aos.kit.errors import AosError
from aos.providers.registry.model import SHIPPED, Shipped

ROOT = Path(__file__).parents[2]
WIDTH = 100

GROUPS = {
    "ServerSettings": "The process",
    "DatabaseSettings": "Database",
    "ProviderSettings": "Providers",
    "LeaseSettings": "Leases",
    "BudgetSettings": "Budgets",
    "GatewaySettings": "Gateway",
}

CLIENT = """\
## The command line as a client

Read by every `aos` command that talks to a gateway; the gateway itself does not read them.

| variable | default | what it says |
|---|---|---|
| `AOS_URL` | `http://127.0.0.1:8000` | Address of the gateway. |
| `AOS_KEY` | the key in `AOS_HOME/admin-key` | The key that commands use. |
"""


@dataclass(frozen=True)
class Setting:
    """One environment variable as the code declares it."""

    name: str
    others: tuple[str, ...]
    default: str
    values: str
    text: str


def setting_groups() -> dict[str, list[Setting]]:
    """Every group of settings, in the order of the source."""
    found = {}
    for name, group in inspect.getmembers(settings, inspect.isclass):
        if issubclass(group, BaseSettings) and group.model_fields and not name.startswith("_"):
            found[name] = _settings_of(group)
    order = list(GROUPS)
    return dict(sorted(found.items(), key=lambda pair: order.index(pair[0])))


def _settings_of(group: type[BaseSettings]) -> list[Setting]:
    texts = _docstrings(group)
    result = []
    for field, info in group.model_fields.items():
        alias = info.validation_alias
        names = (
            [str(choice) for choice in alias.choices]
            if isinstance(alias, AliasChoices)
            else [str(alias)]
        )
        result.append(
            Setting(
                name=names[0],
                others=tuple(names[1:]),
                default=_shown(info.default),
                values=_values(info.annotation),
                text=texts[field],
            )
        )
    return result


def _docstrings(group: type[BaseSettings]) -> dict[str, str]:
    """The string after each field: what it says."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(group))).body
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for field, follower in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if not (isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant)):
                raise SystemExit(f"{group.__name__}.{field.target.id} has no docstring")
            texts[field.target.id] = " ".join(str(follower.value.value).split())
    return texts


def _shown(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)


def _values(annotation: Any) -> str:
    """`debug`, `info`, … for a choice; a word for anything else."""
    options = [one for one in get_args(annotation) if one is not type(None)]
    if options and all(isinstance(one, str) for one in options):
        return ", ".join(f"`{one}`" for one in options)
    kind = options[0] if options and get_origin(annotation) is not dict else annotation
    words = {bool: "true, false", int: "whole number", float: "number", Path: "path"}
    return words.get(kind, "secret" if kind is SecretStr else "text")


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Environment variables, read once when the process starts. Generated from",
        "`src/aos/infra/settings.py` by `make reference`; `.env.example` holds the same list.",
        "",
    ]
    for group, title in GROUPS.items():
        lines += [
            f"## {title}",
            "",
            "| variable | default | values | what it says |",
            "|---|---|---|---|",
        ]
        for one in setting_groups()[group]:
            default = f"`{one.default}`" if one.default else "unset"
            also = f" Also read as `{'`, `'.join(one.others)}`." if one.others else ""
            lines.append(f"| `{one.name}` | {default} | {one.values} | {one.text}{also} |")
        lines.append("")
    lines += [
        "## Shipped upstreams",
        "",
        "Each is used when its variables are set, under its id: `groq/llama-3.3-70b-versatile`.",
        "",
        "| id | variables | address |",
        "|---|---|---|",
    ]
    for row in SHIPPED:
        names = " and ".join(f"`{name}`" for name in _variables(row))
        lines.append(f"| `{row.id}` | {names} | `{row.base_url}` |")
    return "\n".join([*lines, "", CLIENT])


def _variables(row: Shipped) -> list[str]:
    return [name for name in (row.key_variable, row.url_variable) if name]


def example_file() -> str:
    lines = [
        "# Every setting with its default. Copy to .env, take the # away where you want another",
        "# value, and load it: set -a; . ./.env; set +a; aos serve",
        "",
    ]
    for group, title in GROUPS.items():
        lines += [f"## {title}", ""]
        for one in setting_groups()[group]:
            lines += textwrap.wrap(one.text, WIDTH - 2, initial_indent="# ", subsequent_indent="# ")
            lines += [f"#{one.name}={one.default}", ""]
    lines += ["## Shipped upstreams: each is used when its variables are set", ""]
    for row in SHIPPED:
        lines += [f"# {row.id}", *(f"#{name}=" for name in _variables(row)), ""]
    lines += [
        "## The command line as a client",
        "",
        "# Address of the gateway.",
        "#AOS_URL=http://127.0.0.1:8000",
        "",
        "# The key that commands use; unset: the one in AOS_HOME/admin-key.",
        "#AOS_KEY=",
    ]
    return "\n".join(lines) + "\n"


def error_classes() -> list[type[AosError]]:
    """Every named failure, by code; parents that are never raised themselves too."""
    for module in pkgutil.walk_packages(aos.__path__, "aos."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted({*_below(AosError)}, key=lambda one: (one.code, one.__module__, one.__name__))


def _below(parent: type[AosError]) -> Iterator[type[AosError]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("aos."):
            yield child
            yield from _below(child)


def errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every failure has a name. The code stands in the `code` field of a problem (control",
        "plane, RFC 9457) and of a dialect's error body (gateway). *Retry* says whether the same",
        "request may succeed later; *who* can mend it. Generated from the code by",
        "`make reference`.",
        "",
        "| code | status | retry | who | what it means |",
        "|---|---|---|---|---|",
    ]
    by_code = groupby(error_classes(), key=lambda one: one.code)
    for code, group in by_code:
        classes = list(group)
        one = classes[0]
        texts = [" ".join((inspect.getdoc(each) or "").split()) for each in classes]
        retry = "yes" if one.retryable else "no"
        text = " ".join(dict.fromkeys(texts))
        lines.append(f"| `{code}` | {one.status} | {retry} | {one.who} | {text} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Every generated file and what must stand in it."""
    return {
        ROOT / ".env.example": example_file(),
        ROOT / "docs/reference/settings.md": settings_page(),
        ROOT / "docs/reference/errors.md": errors_page(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
