"""Dead letters: found by what they say, counted by what they have in common, and sent back to their agent once."""

from tradewind.connectors.dead_letters.owner import Owner, Returns
from tradewind.connectors.dead_letters.reading import letters, marks
from tradewind.connectors.dead_letters.redrive import Sent, send
from tradewind.connectors.dead_letters.survey import Entry, Plan, Survey, plan, survey
from tradewind.connectors.dead_letters.tally import Group, tally
from tradewind.connectors.dead_letters.wanted import EVERY, Wanted

__all__ = [
    "EVERY",
    "Entry",
    "Group",
    "Owner",
    "Plan",
    "Returns",
    "Sent",
    "Survey",
    "Wanted",
    "letters",
    "marks",
    "plan",
    "send",
    "survey",
    "tally",
]
