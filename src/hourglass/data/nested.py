"""SELFIES as networks like it: branches in brackets, and rings by their size.

SELFIES counts the symbols of a branch, and the atoms written since the other end of a ring, those of branches between included.
So one atom more or less in a branch makes other rings. Here a branch is what stands between "(" and ")", and a ring says how many
atoms it has; where several as small could be closed, primes say which. What has no counterpart, as a bracket too many, is left out,
so that whatever is written here is SELFIES, and therefore a molecule.

References: Krenn et al., "SELFIES: a robust representation of semantically constrained graphs", 2020; O'Boyle and Dalke,
"DeepSMILES", 2018, where rings have sizes too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DIGITS = (
    *("[C]", "[Ring1]", "[Ring2]", "[Branch1]", "[=Branch1]", "[#Branch1]", "[Branch2]", "[=Branch2]"),
    *("[#Branch2]", "[O]", "[N]", "[=N]", "[=C]", "[#C]", "[S]", "[P]"),
)  # what SELFIES writes whole numbers with, to the base 16
VALUES = {symbol: value for value, symbol in enumerate(DIGITS)}
COUNTED = re.compile(r"\[(.*)(Branch|Ring)([123])\]")  # a bond, what it is, and how many digits follow
OPEN, CLOSE, DOT, PRIME = "(", ")", ".", "'"
SYMBOL = re.compile(r"\[[^\]]*\]|[^\[\]().]*\(|[).]")  # one of those that are written here
RING = re.compile(r"\[(.*)ring(\d+)('*)\]")


def nested(symbols: Sequence[str]) -> list[str]:
    """The symbols of a SELFIES with brackets and sizes; a `ValueError` where a ring doesn't lead back along its chain."""
    found: list[str] = []
    chain, place, ends = _Chain(), 0, list[tuple[int, int | None]]()
    while place < len(symbols):
        while ends and place == ends[-1][0]:
            found.append(CLOSE)
            chain.at = ends.pop()[1]
        symbol = symbols[place]
        counted = COUNTED.fullmatch(symbol)
        place += 1
        if counted is None:
            chain.add(symbol)
            found.append(symbol)
            continue
        bond, what, digits = counted[1], counted[2], int(counted[3])
        number = _number(symbols[place : place + digits])
        place += digits
        if what == "Branch":
            found.append(bond + OPEN)
            ends.append((place + number + 1, chain.at))
        else:
            size, which = chain.size(number + 1)
            found.append(f"[{bond}ring{size}{which * PRIME}]")
    return found + [CLOSE] * len(ends)


def flat(symbols: Sequence[str]) -> list[str]:
    """The SELFIES of symbols with brackets and sizes, whatever they are."""
    chain, found, within = _Chain(), list[str](), list[tuple[str, list[str], int | None]]()

    def close() -> list[str]:
        bond, outside, chain.at = within.pop()
        return [*outside, *_counted(bond, "Branch", len(found) - 1), *found] if found else outside

    for symbol in symbols:
        ring = RING.fullmatch(symbol)
        if symbol.endswith(OPEN):
            within.append((symbol[: -len(OPEN)], found, chain.at))
            found = []
        elif symbol == CLOSE:
            found = close() if within else found
        elif ring is not None:
            back = chain.back(int(ring[2]), len(ring[3]))
            found += [] if back is None else _counted(ring[1], "Ring", back - 1)
        else:
            while symbol == DOT and within:
                found = close()
            chain.add(symbol)
            found.append(symbol)
    while within:
        found = close()
    return found


class _Chain:
    """Atoms as they are written, and which of them are bound."""

    def __init__(self) -> None:
        self.at: int | None = None  # the atom that the next one hangs on
        self.parents: list[int | None] = []
        self.bound: list[list[int]] = []

    def add(self, symbol: str) -> None:
        """One more atom, or with a dot the beginning of another molecule."""
        if symbol == DOT:
            self.at = None
            return
        self.parents.append(self.at)
        self.bound.append([])
        if self.at is not None:
            self._bind(self.at, len(self.parents) - 1)
        self.at = len(self.parents) - 1

    def size(self, back: int) -> tuple[int, int]:
        """How many atoms has the smallest ring closed with the one so many before, and which of the rings as small is it?"""
        if self.at is None:
            raise ValueError("a ring before the first atom")
        end = max(self.at - back, 0)
        distance = self._distances().get(end)
        if distance is None:
            raise ValueError("a ring between two molecules")
        which = self._ends(distance + 1).index(end)
        self._bind(self.at, end)
        return distance + 1, which

    def back(self, size: int, which: int) -> int | None:
        """How many atoms before was the other end of such a ring written, if there can be one?"""
        ends = self._ends(size)
        if self.at is None or which >= len(ends):
            return None
        self._bind(self.at, ends[which])
        return self.at - ends[which]

    def _bind(self, one: int, other: int) -> None:
        self.bound[one].append(other)
        self.bound[other].append(one)

    def _ends(self, size: int) -> list[int]:
        """Where a ring of a size may end: first atoms of its own chain, in the order that they were written in."""
        if self.at is None:
            return []
        chain, atom = set[int](), self.at
        while (parent := self.parents[atom]) is not None:
            chain.add(parent)
            atom = parent
        ends = [atom for atom, distance in self._distances().items() if distance == size - 1 and atom < self.at]
        return sorted(ends, key=lambda atom: (atom not in chain, atom))

    def _distances(self) -> dict[int, int]:
        """Bonds from where it stands to each atom."""
        assert self.at is not None
        found, row = {self.at: 0}, [self.at]
        while row:
            row = list({other for atom in row for other in self.bound[atom] if other not in found})
            found |= dict.fromkeys(row, max(found.values()) + 1)
        return found


def _number(digits: Sequence[str]) -> int:
    value = 0
    for digit in digits:
        value = len(DIGITS) * value + VALUES.get(digit, 0)
    return value


def _counted(bond: str, what: str, number: int) -> list[str]:
    """A branch or a ring as SELFIES counts them."""
    digits: list[str] = []
    while number or not digits:
        number, digit = divmod(number, len(DIGITS))
        digits.insert(0, DIGITS[digit])
    return [f"[{bond}{what}{len(digits)}]", *digits]
