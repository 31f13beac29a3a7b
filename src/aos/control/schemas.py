"""The words that every resource's bodies and answers are made of.

Money is a decimal string of dollars (numbers are accepted on input), instants are RFC 3339 in UTC,
and what is not declared is refused.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from aos.control.limits import INSTANT_MAX_YEAR
from aos.identity import LABEL_LENGTH_MAX, NAME_LENGTH_MAX
from aos.kit.errors import InvalidInput
from aos.kit.money import Nanousd, format_usd, parse_usd

Item = TypeVar("Item")


class Body(BaseModel):
    """What a request carries."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What a request is answered with."""

    def lasting(self) -> Self:
        """What may be kept to answer a repeated request: without secrets."""
        return self


class Page(Answer, Generic[Item]):
    items: list[Item]
    next_cursor: str | None = Field(description="Pass it as `cursor`; null on the last page.")


class ProblemField(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `details` depend on it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    request_id: str
    details: dict[str, Any] = {}
    errors: list[ProblemField] = []


def check_printable(text: str) -> str:
    """For pydantic: raises ValueError."""
    if not text.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return text


def _instant(at: datetime) -> datetime:
    if not 1970 < at.year <= INSTANT_MAX_YEAR:  # noqa: PLR2004 - the epoch
        raise ValueError(f"must lie between 1971 and {INSTANT_MAX_YEAR}")
    return at.astimezone(UTC)


def _show_instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _dollars(value: object) -> Nanousd:
    if not isinstance(value, str | int | float | Decimal):
        raise ValueError("wants dollars as a decimal string or a number")  # noqa: TRY004 - pydantic
    try:
        return parse_usd(value)
    except InvalidInput as error:
        raise ValueError(error.message) from None


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LENGTH_MAX, strip_whitespace=True),
    AfterValidator(check_printable),
]
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LABEL_LENGTH_MAX),
    AfterValidator(check_printable),
]
"""An id, a pattern, or a label. Whether it names something is for the room to say (404)."""

InstantInput = Annotated[AwareDatetime, AfterValidator(_instant)]
Instant = Annotated[
    datetime,
    PlainSerializer(_show_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

UsdInput = Annotated[
    Nanousd,
    BeforeValidator(_dollars),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d{1,9})?$"}, {"type": "number"}],
            "examples": ["0.01"],
        }
    ),
]
"""Dollars at the door, nano-dollars behind it."""

Usd = Annotated[
    int,
    PlainSerializer(format_usd, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.000450000"]}),
]
"""Nano-dollars behind the door, dollars with nine places in front of it."""

Period = Literal["DAILY", "WEEKLY", "MONTHLY", "TOTAL"]
Action = Literal["ALERT_ONLY", "BLOCK", "DOWNGRADE_MODEL"]
