"""The reference says what the code says."""

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import aos
from aos.infra.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/reference/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date(generate: ModuleType) -> None:
    outdated = [
        str(path.relative_to(ROOT))
        for path, text in generate.pages().items()
        if not path.exists() or path.read_text() != text
    ]
    assert not outdated, "run `make reference`"


def test_every_group_of_settings_is_listed(generate: ModuleType) -> None:
    groups = {type(group).__name__ for group in vars(Settings()).values()}
    assert groups == set(generate.setting_groups())


def test_every_failure_is_explained(generate: ModuleType) -> None:
    classes = generate.error_classes()
    assert [one.__name__ for one in classes if not inspect.getdoc(one)] == []
    assert {one.code for one in classes} <= set(
        re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/errors.md").read_text(), re.MULTILINE)
    )


def test_the_example_can_be_loaded_by_a_shell(generate: ModuleType) -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        assert not line or line.startswith("#")
        if re.match(r"#[A-Z]", line):
            assert re.fullmatch(r"#[A-Z][A-Z0-9_]*=[^\s'\"$`]*", line), line


def test_the_names_that_earlier_code_may_import_are_there() -> None:
    page = (ROOT / "docs/reference/migrating-names.md").read_text()
    told = {
        name.strip()
        for names in re.findall(r"`from aos import ([^`]+)`", page)
        for name in names.split(",")
    }
    assert told == set(aos.__all__)
    for name in told:
        assert getattr(aos, name) is not None
