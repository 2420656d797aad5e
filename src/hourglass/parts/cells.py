"""What a cell of a table becomes before networks see it: said without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """What a cell of a table becomes: a number as it is, as many ones and zeros as there are levels, or places on cycles."""

    levels: int = 0
    plain: bool = True  # whether the number itself takes part
    cycles: tuple[float, ...] = ()  # periods, in the units of the number

    @property
    def width(self) -> int:
        """How many elements it becomes."""
        return self.levels or self.plain + 2 * len(self.cycles)


NUMBER = Cell()
