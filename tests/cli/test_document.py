"""aos.yaml is read narrowly and written so that it reads back the same."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.cli.document import DOCUMENT_BYTES_MAX, read_file, read_text, write_text
from aos.cli.errors import Misused


def test_what_looks_like_a_fraction_or_a_date_stays_as_written() -> None:
    text = "a: 0.10\nb: 2030-01-01T00:00:00Z\nc: 5\nd: true\ne: null\nf: [x, 1e3]\n"
    assert read_text(text) == {
        "a": "0.10",
        "b": "2030-01-01T00:00:00Z",
        "c": 5,
        "d": True,
        "e": None,
        "f": ["x", "1e3"],
    }


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "line 1, column 4: anchors and aliases"),
        ("a: *b\n", "anchors and aliases"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: a stands here twice"),
        ("k: {x: 1, x: 2}\n", "x stands here twice"),
        ("1: x\n", "put it in quotes"),
        ("yes: x\n", "put it in quotes"),
        ("<<: {a: 1}\n", "put it in quotes"),
        ("[1, 2]: x\n", "put it in quotes"),
        ("a: !!python/object/apply:os.system [echo]\n", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        ("a: [\n", "line 2"),
        ("", "must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("a: " + "[" * 50 + "]" * 50, "nested deeper"),
        ("a: \x00", "unacceptable character"),
        ("a: " + "9" * 5000, "digits"),
    ],
)
def test_what_could_mean_two_things_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(Misused) as caught:
        read_text(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_bounded_and_named(tmp_path: Path) -> None:
    file = tmp_path / "aos.yaml"
    file.write_bytes(b"#" * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(Misused, match="larger than"):
        read_file(file)
    file.write_bytes(b"a: \xff")
    with pytest.raises(Misused, match="UTF-8"):
        read_file(file)
    file.write_text("a: [")
    with pytest.raises(Misused, match=r"aos\.yaml: line 1"):
        read_file(file)
    with pytest.raises(Misused, match="cannot be read"):
        read_file(tmp_path / "missing")


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b'{"version": 1}')

    monkeypatch.setattr("sys.stdin", Input())
    assert read_file(Path("-")) == {"version": 1}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=9), values, max_size=4))
def test_what_is_written_reads_back_the_same(document: dict[str, Any]) -> None:
    assert read_text(write_text(document)) == document
