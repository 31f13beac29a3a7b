"""`aos.yaml` between disk and JSON.

A narrow reading of YAML: numbers with a point and dates stay the text that was written, so that
`0.10` dollars are exactly that. Refused, with the line: a key written twice (the first would be
lost without a word), anchors and aliases (a few lines could expand to gigabytes), other tags.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from aos.cli.errors import Misused

DOCUMENT_BYTES_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 20


class _Loader(yaml.SafeLoader):
    """The safe loader with less in it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # The stubs leave it out.
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not read: write the value out",
                problem_mark=event.start_mark,
            )
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {DEPTH_MAX}", problem_mark=event.start_mark
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - yaml's signature
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(
                    problem="a name here must be text: put it in quotes",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} stands here twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _as_written(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


for _kind in ("float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _as_written)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    # Plain and single-quoted styles lose line separators; the double-quoted one escapes them.
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def read_file(path: Path) -> dict[str, Any]:
    """The document in this file (`-`: standard input). Raises Misused with the line."""
    import sys

    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            content = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise Misused(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > DOCUMENT_BYTES_MAX:
        raise Misused(f"{path} is larger than {DOCUMENT_BYTES_MAX} bytes")
    try:
        return read_text(content.decode())
    except UnicodeDecodeError:
        raise Misused(f"{path} is not UTF-8 text") from None
    except Misused as error:
        raise Misused(f"{path}: {error}") from None


def read_text(text: str) -> dict[str, Any]:
    """One YAML (or JSON) document that is a mapping. Raises Misused."""
    try:
        loader = _Loader(text)
        try:
            document = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        problem = str(error.problem)
        if problem.startswith("but ") and error.context:
            problem = f"{error.context}, {problem}"
        raise Misused(f"{where}{problem}") from None
    except yaml.YAMLError as error:
        raise Misused(str(error).replace("\n", " ")) from None
    except ValueError as error:  # A number with too many digits, and the like.
        raise Misused(str(error)) from None
    if not isinstance(document, dict):
        raise Misused("it must be a mapping that begins with version: 1")
    return document


def write_text(document: Mapping[str, Any]) -> str:
    """As YAML that `read_text` reads back the same."""
    text: str = yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text
