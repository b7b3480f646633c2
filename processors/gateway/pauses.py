"""How long somebody waits after wrong passwords: some tries are free, and then the pause doubles with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DOUBLINGS: Final = 30
"""More would only make numbers that no pause reaches."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses of one kind."""

    free: int
    """Tries without a pause: people mistype."""
    first_s: float
    most_s: float
    """The longest pause: whoever floods an account keeps its owner out for no longer at a time."""

    def after(self, tries: int) -> float:
        """Return the pause after so many wrong tries, s."""
        if tries < self.free:
            return 0.0
        return min(self.most_s, self.first_s * 2.0 ** min(tries - self.free, DOUBLINGS))


ACCOUNT: Final = Pauses(free=5, first_s=1.0, most_s=900.0)
"""Some 100 tries a day, against 2^40 passwords and more, or 333,333 codes of a second factor."""
ADDRESS: Final = Pauses(free=20, first_s=1.0, most_s=900.0)
"""Several people may share an address."""
