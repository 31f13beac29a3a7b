"""What a call asks of its budgets, and what it gets. Amounts are nano-dollars."""

from dataclasses import dataclass

from aos.budgets.definitions import BudgetMatch, SpendFacts
from aos.kit.money import Nanousd, ceiling
from aos.ledger import Balance


@dataclass(frozen=True, slots=True)
class Clamp:
    """How a bound shrinks with the output ceiling.

    `fixed` is the cost that no ceiling changes (the input, fees). `tokens_max` is the ceiling of
    the bound as asked; `tokens_floor` the least that is still worth an answer (above the thinking
    budget). A request with tools or a schema has no Clamp: shortened, its answer would be broken.
    """

    fixed: Nanousd
    pico_per_output_token: int
    choices: int
    tokens_max: int
    tokens_floor: int

    def amount(self, tokens: int) -> Nanousd:
        """The bound with an output ceiling of `tokens`."""
        return Nanousd(self.fixed + ceiling(self.pico_per_output_token * self.choices * tokens))


@dataclass(frozen=True, slots=True)
class SpendRequest:
    """One attempt's request for money.

    `bound` is the most it can cost, None when nothing bounds it or, `priced` being False, nobody
    knows its price (`because` names the request's field that makes it so).
    `reserve` is held instead where no blocking budget binds, also for an unpriced model.
    `matches` are the budgets at `facts.at`; admission matches again when waiting took time.
    `call` is JSON: what the call's row needs if this process dies. `downgraded` says that the
    request came here before with another model: it is not sent to a third.
    """

    hold_id: str
    call_id: str
    facts: SpendFacts
    matches: tuple[BudgetMatch, ...]
    bound: Nanousd | None
    reserve: Nanousd
    call: bytes
    because: str | None = None
    priced: bool = True
    clamp: Clamp | None = None
    wait_seconds: float = 5.0
    downgraded: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside: the call may leave. `clamped_tokens` is the new output ceiling, if any."""

    id: str
    amount: Nanousd
    balances: tuple[Balance, ...]
    matches: tuple[BudgetMatch, ...]
    waited_seconds: float = 0.0
    clamped_tokens: int | None = None

    @property
    def remaining(self) -> Nanousd | None:
        """What is left in the tightest of its budgets; None where none has a limit."""
        return remaining(self.balances)


@dataclass(frozen=True, slots=True)
class Downgrade:
    """Not held. Ask again, once, for this model, on that model's own budgets."""

    model: str
    match: BudgetMatch


def remaining(balances: tuple[Balance, ...]) -> Nanousd | None:
    """What is left in the tightest of these accounts; None where none has a limit."""
    left = [balance.available for balance in balances if balance.available is not None]
    return min(left, default=None)
