"""From a document to what must change: pure."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from aos.control.config.errors import InvalidConfig
from aos.control.config.limits import PROBLEMS_SHOWN_MAX
from aos.control.config.model import Action, Change, Standing
from aos.control.config.schemas import Document, Spec


def read_document(document: Mapping[str, Any]) -> Document:
    """Raises InvalidConfig with every mistake and its place."""
    # A section that is written but empty (`keys:`) is null in YAML, and means empty.
    given = {name: {} if value is None else value for name, value in document.items()}
    try:
        return Document.model_validate(given)
    except ValidationError as error:
        problems = [
            {"path": ".".join(str(part) for part in one["loc"]), "message": _message(one)}
            for one in error.errors()
        ]
    shown = [f"{one['path']}: {one['message']}" for one in problems[:PROBLEMS_SHOWN_MAX]]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    raise InvalidConfig("; ".join(shown), problems=problems[:PROBLEMS_SHOWN_MAX])


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "there is no such field"
    if problem["type"] == "missing":
        return "is missing"
    text: str = problem["msg"]
    return text.removeprefix("Value error, ")


def write_document(sections: Mapping[str, Mapping[str, Standing]]) -> dict[str, Any]:
    """What stands, as a document that changes nothing when it is applied here.

    Fields with their default are left out, and so are empty sections.
    """
    document: dict[str, Any] = {"version": 1}
    for kind, things in sections.items():
        entries = {name: one.spec.written() for name, one in sorted(things.items())}
        if entries:
            document[kind] = entries
    return document


def changes_of(
    kind: str,
    standing: Mapping[str, Standing],
    wanted: Mapping[str, Spec],
    prunable: Collection[str],
) -> list[Change]:
    """What makes `standing` into `wanted`, in the order of names.

    `prunable` are ids that may be taken away when the document does not name them.
    """
    changes = [
        change
        for name, spec in sorted(wanted.items())
        if (change := _change(kind, name, standing.get(name), spec)) is not None
    ]
    changes += [
        Change(kind, name, Action.DELETE)
        for name, one in sorted(standing.items())
        if name not in wanted and one.id in prunable
    ]
    return changes


def _change(kind: str, name: str, standing: Standing | None, spec: Spec) -> Change | None:
    after = spec.model_dump(mode="json")
    if standing is None:
        given = spec.model_dump(mode="json", exclude_defaults=True)
        return Change(kind, name, Action.CREATE, {key: (None, one) for key, one in given.items()})
    before = standing.spec.model_dump(mode="json")
    fields = {
        key: (before[key], value)
        for key, value in after.items()
        if before[key] != value and not (value is None and key in spec.kept)
    }
    return Change(kind, name, Action.UPDATE, fields) if fields else None
