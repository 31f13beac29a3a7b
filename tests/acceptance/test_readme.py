"""The README's transcript, run as it stands against a fresh home.

Blocks fenced as `console` hold commands after `$ ` and what they print. In what is printed, `…`
stands for anything within a line, and a line that is only `…` for any number of lines. Addresses
and the home are those of the test.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.served import Server, served

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS_MAX = 60


@dataclass(frozen=True)
class Step:
    command: str
    expected: list[str]


def steps_of(text: str) -> list[Step]:
    """Every command of every console block, with the lines that follow it."""
    steps: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line[2:], []))
            else:
                steps[-1].expected.append(line)
    return steps


def matches(expected: list[str], printed: str) -> bool:
    """Whether the expected lines stand in what was printed, one after the other.

    Blank lines and the width of gaps do not count.
    """
    lines = [line for line in printed.splitlines() if line.strip()]
    wanted = [line for line in expected if line.strip()]
    position, anywhere = 0, True
    for pattern in wanted:
        if pattern.strip() == "…":
            anywhere = True
            continue
        while position < len(lines) and not _is_like(pattern, lines[position]):
            if not anywhere:
                return False
            position += 1
        if position == len(lines):
            return False
        position, anywhere = position + 1, False
    return True


def _is_like(pattern: str, line: str) -> bool:
    """An ellipsis stands for anything. Piece by piece: no regular expression to blow up."""
    text = " ".join(line.split())
    first, *rest = " ".join(pattern.split()).split("…")
    if not text.startswith(first):
        return False
    if not rest:
        return text == first
    position = len(first)
    for piece in rest:
        position = text.find(piece.strip(), position)
        if position < 0:
            return False
        position += len(piece.strip())
    return pattern.rstrip().endswith("…") or text.endswith(rest[-1].strip())


STEPS = steps_of((ROOT / "README.md").read_text())
SETUP = [
    step for step in STEPS if step.command.startswith(("git clone", "make run", "export PATH"))
]
COMMANDS = [step for step in STEPS if step not in SETUP]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("home")) as server:
        yield server


def test_the_readme_has_the_steps_that_it_promises() -> None:
    assert [step.command.split()[0] for step in SETUP] == ["git", "make", "export"]
    told = " ".join(step.command for step in COMMANDS)
    for needed in ("curl", "aos load", "aos calls tail", "aos connect", "OpenAI()"):
        assert needed in told


@pytest.mark.slow
def test_the_server_greets_as_the_readme_says(server: Server) -> None:
    expected = next(step.expected for step in SETUP if step.command == "make run")
    _check(expected, server.printed.replace(server.url, "http://127.0.0.1:8000"))


@pytest.mark.slow
@pytest.mark.parametrize("step", COMMANDS, ids=lambda step: step.command[:40])
def test_a_step_does_what_the_readme_says(step: Step, server: Server) -> None:
    """In order: a step may use what an earlier one made."""
    command = step.command.replace("http://127.0.0.1:8000", server.url)
    if "OpenAI()" in command:  # The lines before it set its environment.
        command = f'eval "$(aos connect openai --shell)"; {command}'
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=server.environment,
        timeout=COMMAND_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _check(step.expected, done.stdout.replace(server.url, "http://127.0.0.1:8000"))


def _check(expected: list[str], printed: str) -> None:
    assert matches(expected, printed), "\n".join(["expected", *expected, "printed", printed])


def test_the_eyes_of_this_test() -> None:
    """An ellipsis stands for anything, and nothing else does."""
    assert matches(["id: …", "…", "name:  x"], "zero\nid: 5\nb\n\nc\nname: x\n")
    assert not matches(["id: …", "name: x"], "id: 5\nb\nname: x\n")
    assert not matches(["id: …", "…", "name: x"], "id: 5\nname: xy\n")
    assert matches(["spent $0.00…, over by $0.0000"], "spent $0.0099, over by $0.0000")
    assert not matches(["over by $0.0000"], "over by $0.0001")
    assert not matches(["a…c"], "abcd")
