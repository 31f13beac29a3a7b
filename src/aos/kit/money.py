"""Money as integers.

Amounts are nano-dollars (1 USD = 1_000_000_000), prices are pico-dollars a token (1 USD a million
tokens = 1_000_000 pico-dollars a token). Sums are made in pico-dollars and rounded once.
"""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final, NewType

from aos.kit.errors import InvalidInput

Nanousd = NewType("Nanousd", int)
Picousd = NewType("Picousd", int)

NANO_PER_USD: Final = 1_000_000_000
NANO_PER_CENT: Final = 10_000_000
PICO_PER_NANO: Final = 1_000
USD_MAX: Final = 1_000_000_000
"""Largest amount accepted at the doors: a billion dollars, well inside a signed 64-bit integer."""

_EXACT: Final = Context(prec=40)


class InvalidAmount(InvalidInput):
    """The text is not an amount of dollars that nano-dollars can hold."""

    code = "invalid_amount"


def parse_usd(value: str | float | Decimal) -> Nanousd:
    """Dollars as text (or a JSON number) to nano-dollars, exactly.

    Raises InvalidAmount for anything that is not a finite decimal with at most nine places.
    """
    if isinstance(value, bool):
        raise InvalidAmount(f"{value!r} is not an amount of dollars")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise InvalidAmount(f"{value!r} is not an amount of dollars") from None
    if not amount.is_finite() or abs(amount) > USD_MAX:
        raise InvalidAmount(f"{value!r} is not an amount of dollars up to {USD_MAX}")
    nano = amount.scaleb(9, _EXACT)
    if nano != nano.to_integral_value():
        raise InvalidAmount(f"{value!r} has more than nine decimal places")
    return Nanousd(int(nano))


def format_usd(amount: int) -> str:
    """Nano-dollars as the decimal string used at every door: `0.000450000`."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), NANO_PER_USD)
    return f"{sign}{whole}.{fraction:09d}"


def to_cents(amount: int) -> Decimal:
    """Nano-dollars as cents, exactly (1 cent = 10_000_000 nano-dollars)."""
    return Decimal(amount).scaleb(-7, _EXACT)


def from_cents(cents: int) -> Nanousd:
    return Nanousd(cents * NANO_PER_CENT)


def book(pico: int) -> Nanousd:
    """Pico-dollars to the nano-dollars that are booked: half-even, once."""
    return _rounded(pico, ROUND_HALF_EVEN)


def ceiling(pico: int) -> Nanousd:
    """Pico-dollars to the nano-dollars that are held: always up."""
    return Nanousd(-(-pico // PICO_PER_NANO))


def pico_per_unit(usd: Decimal, units: int) -> Picousd:
    """A list price (`usd` for so many `units`) as pico-dollars for one unit.

    Rounded up in the rare case that a list price is finer than a pico-dollar, never down to free.
    """
    exact = usd.scaleb(12, _EXACT) / units
    return Picousd(int(exact.to_integral_value(ROUND_CEILING)))


def _rounded(pico: int, rounding: str) -> Nanousd:
    whole, rest = divmod(pico, PICO_PER_NANO)
    if rounding == ROUND_HALF_EVEN and (rest > 500 or (rest == 500 and whole % 2 == 1)):  # noqa: PLR2004
        whole += 1
    return Nanousd(whole)
