"""Prices as exact numbers: what one token of each kind costs, for one call or for a whole column of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

Ints = npt.NDArray[np.int64]

GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of calls with more than `above` input tokens, per token in units of 10^-12 / `Rates.scale` US dollars."""

    above: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    call: int = 0
    """Price of the request as such."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one model at one time. Every token of a call is priced by the one tier that the whole input reaches."""

    tiers: tuple[Tier, ...]
    scale: int = 1

    def cost(self, input: int, output: int, cache_read: int = 0, cache_write: int = 0) -> int:
        """Whole picodollars, at most 2^63 - 1. `input` contains the cached tokens."""
        whole = max(input, cache_read + cache_write)
        tier = next(tier for tier in reversed(self.tiers) if whole > tier.above)
        plain = whole - cache_read - cache_write
        units = plain * tier.input + cache_read * tier.cache_read + cache_write * tier.cache_write + output * tier.output + tier.call
        return min(_half_even(units, self.scale), GREATEST)


def _half_even(units: int, scale: int) -> int:
    whole, rest = divmod(units, scale)
    return whole + (2 * rest > scale or (2 * rest == scale and whole % 2 == 1))


SINGLY = -2
"""In the costs of a RateTable: this call has to be priced by itself."""
HOURLY = Rates(tiers=(), scale=0)
"""Stands for a price that changes with the time of day."""


@dataclass(frozen=True, slots=True)
class RateTable:
    """Whole picodollars per token as int64 arrays: one row per key, one column per tier; all tokens of a call are priced by one tier."""

    above: Ints
    """A tier applies to calls with more input tokens than this; -1 for the first, 2^63 - 1 for none."""
    input: Ints
    cache_read: Ints
    cache_write: Ints
    output: Ints
    call: Ints
    state: npt.NDArray[np.int8]
    """0 linear, SINGLY (fractions of a picodollar, prices by the hour) or -1 (unknown)."""

    @classmethod
    def of(cls, found: Sequence[Rates | None]) -> RateTable:
        width = max((len(rates.tiers) for rates in found if rates), default=1) or 1
        above, input, cache_read, cache_write, output, call = table = np.zeros((6, len(found), width), np.int64)
        above[:] = GREATEST
        state = np.zeros(len(found), np.int8)
        for row, rates in enumerate(found):
            if rates is None:
                state[row] = -1
            elif not _fits(rates):
                state[row] = SINGLY
            else:
                for column, tier in enumerate(rates.tiers):
                    table[:, row, column] = tier.above, tier.input, tier.cache_read, tier.cache_write, tier.output, tier.call
        return cls(above, input, cache_read, cache_write, output, call, state)

    def costs(self, row: Ints, input: Ints, output: Ints, cache_read: Ints, cache_write: Ints) -> Ints:
        """Picodollars per call, -1 where the price is unknown, SINGLY where it cannot be told here. `row` is a row of this table."""
        state = self.state.take(row)
        if self.above.shape[0] == 0:
            return state.astype(np.int64)
        whole = np.maximum(input, cache_read + cache_write)
        width = self.above.shape[1]
        tier = (whole[:, None] > self.above.take(row, axis=0)).sum(axis=1) - 1 if width > 1 else 0
        at = row * width + np.maximum(tier, 0)
        plain = whole - cache_read - cache_write
        cost = plain * self.input.ravel().take(at) + output * self.output.ravel().take(at) + self.call.ravel().take(at)
        cost += cache_read * self.cache_read.ravel().take(at) + cache_write * self.cache_write.ravel().take(at)
        return np.where(state == 0, cost, state)


def _fits(rates: Rates) -> bool:
    """Whether 32-bit token counts times these rates stay within 64 bits, in whole picodollars."""
    return rates.scale == 1 and all(
        (max(tier.input, tier.cache_read, tier.cache_write) * 2 + tier.output) * 2**32 + tier.call <= GREATEST for tier in rates.tiers
    )


def by_the_hour(model: ModelInfo) -> bool:
    """Whether the model's price depends on the time of day."""
    from genai_prices.types import TimeOfDateConstraint

    return isinstance(model.prices, list) and any(isinstance(price.constraint, TimeOfDateConstraint) for price in model.prices)


def rates_at(model: ModelInfo, at: int) -> Rates | None:
    """Rates of a model of the bundled table at a time (ns since 1970), None if it has none for tokens."""
    seconds = min(max(at // 1_000_000_000, 0), 253_402_300_799)  # the last second of the year 9999
    return _rates(model.get_prices(datetime.datetime.fromtimestamp(seconds, datetime.UTC)))


def _rates(price: ModelPrice) -> Rates | None:
    """The package's price of a model, or None if it has none for tokens."""
    named = {key: getattr(price, f"{key}_mtok") for key in ("input", "cache_read", "cache_write", "output")}
    if named["input"] is None and named["output"] is None:
        return None
    named["input"] = named["input"] or Decimal(0)
    named["output"] = named["output"] or Decimal(0)
    for part in ("cache_read", "cache_write"):  # tokens of a kind that has no price of its own are plain input
        named[part] = named["input"] if named[part] is None else named[part]
    named["call"] = price.requests_kcount or Decimal(0)
    starts = sorted({start for value in named.values() for start in _starts(value)})
    return scaled([(start, {key: _rate(value, start) for key, value in named.items()}) for start in starts])


def _starts(value: Any) -> Iterator[int]:
    yield -1
    yield from (tier.start for tier in getattr(value, "tiers", ()))


def _rate(value: Any, start: int) -> Decimal:
    """The price that applies to calls with more than `start` input tokens."""
    if isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if tier.start <= start]
    price: Decimal = reached[-1] if reached else value.base
    return price


def scaled(tiers: list[tuple[int, dict[str, Decimal]]]) -> Rates:
    """Dollars per million tokens and per thousand calls → picodollars of one; what is left behind the point makes the scale."""
    pico = [(above, {key: price * (10**9 if key == "call" else 10**6) for key, price in prices.items()}) for above, prices in tiers]
    digits = max(-int(price.normalize().as_tuple().exponent) for _, prices in pico for price in prices.values())
    scale = 10 ** max(digits, 0)
    return Rates(tuple(Tier(above, **{key: int(price * scale) for key, price in prices.items()}) for above, prices in pico), scale)
