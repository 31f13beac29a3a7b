"""How a model's name is recognised: clauses over the lower-case name, the first model wins."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

from aos.catalog.errors import InvalidPrice
from aos.catalog.limits import CLAUSES_PER_RULE_MAX
from aos.catalog.model import Clause

Predicate = Callable[[str], bool]

_COMPACT_DATE: Final = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class NameMatcher:
    """Finds which of an ordered list of rules a name meets first.

    Equality, by far the most frequent rule, is one dictionary look-up; only the other rules that
    stand before its hit are tried.
    """

    def __init__(self, rules: Iterable[tuple[int, Clause]]) -> None:
        self._equals: dict[str, int] = {}
        self._others: list[tuple[int, Predicate]] = []
        for position, rule in rules:
            rest = []
            for clause in alternatives(rule):
                if "equals" in clause:
                    self._equals.setdefault(clause["equals"].lower(), position)
                else:
                    rest.append(compile_clause(clause))
            if rest:
                self._others.append((position, _any_of(rest)))

    def first(self, name: str) -> int | None:
        """Position of the first rule that `name` (lower case) meets."""
        hit = self._equals.get(name)
        for position, matches in self._others:
            if hit is not None and position >= hit:
                break
            if matches(name):
                return position
        return hit

    def listed(self) -> Iterable[str]:
        """The names that are listed letter by letter."""
        return self._equals


def alternatives(rule: Clause) -> list[Clause]:
    """The clauses of which any one suffices."""
    return list(rule["or"]) if "or" in rule else [rule]


def compile_clause(clause: Clause) -> Predicate:
    """A clause as a function of a lower-case name. Raises InvalidPrice."""
    check_clause(clause)
    return _compile(clause)


def check_clause(clause: Any) -> None:
    """Raises InvalidPrice unless it is a clause, within its size, with regular expressions."""
    waiting: list[Any] = [clause]
    for _ in range(CLAUSES_PER_RULE_MAX):
        if not waiting:
            return
        item = waiting.pop()
        if not isinstance(item, dict) or len(item) != 1:
            raise InvalidPrice(f"{item!r} is not a rule: give it one of {_KINDS_TEXT}")
        kind, value = next(iter(item.items()))
        if kind not in _KINDS or not value or not isinstance(value, _KIND_OF.get(kind, str)):
            raise InvalidPrice(f"{item!r} is not a rule: give it one of {_KINDS_TEXT}")
        if isinstance(value, list):
            waiting.extend(value)
        elif kind == "regex":
            _check_regex(str(value))
    raise InvalidPrice(f"a rule has more than {CLAUSES_PER_RULE_MAX} clauses")


def dashed_date(name: str) -> str:
    """`gpt-5.2-20251211` as `gpt-5.2-2025-12-11`, the form that vendors list; else unchanged."""
    return _COMPACT_DATE.sub(_dashed, name)


def _dashed(match: re.Match[str]) -> str:
    year, month, day = match.group(2), match.group(3), match.group(4)
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return match.group(0)
    return f"-{year}-{month}-{day}"


def _check_regex(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidPrice(f"{pattern!r} is not a regular expression: {error}") from None


def _compile(clause: Clause) -> Predicate:
    kind, value = next(iter(clause.items()))
    return _KINDS[kind](value)


def _equals(value: str) -> Predicate:
    wanted = value.lower()
    return lambda name: name == wanted


def _starts_with(value: str) -> Predicate:
    wanted = value.lower()
    return lambda name: name.startswith(wanted)


def _ends_with(value: str) -> Predicate:
    wanted = value.lower()
    return lambda name: name.endswith(wanted)


def _contains(value: str) -> Predicate:
    wanted = value.lower()
    return lambda name: wanted in name


def _regex(value: str) -> Predicate:
    pattern = re.compile(value)
    return lambda name: pattern.search(name) is not None


def _any_of(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    return lambda name: any(matches(name) for matches in predicates)


def _all_of(predicates: list[Predicate]) -> Predicate:
    return lambda name: all(matches(name) for matches in predicates)


_KINDS: Final[dict[str, Callable[..., Predicate]]] = {
    "equals": _equals,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "contains": _contains,
    "regex": _regex,
    "or": lambda clauses: _any_of([_compile(clause) for clause in clauses]),
    "and": lambda clauses: _all_of([_compile(clause) for clause in clauses]),
}
_KIND_OF: Final[dict[str, type]] = {"or": list, "and": list}
_KINDS_TEXT: Final = ", ".join(_KINDS)
