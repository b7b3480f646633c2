"""What a verification found: how much was compared, and the first difference with its coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["journal", "input", "dead letter", "output", "state", "crash"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not as it was recorded.

    - `journal`: entries are missing, doubled or unreadable, or contradict each other;
    - `input`: a record that was read is not the one that is there now;
    - `dead letter`: other records became dead letters;
    - `output`: another record was made than the one that was sent, or than the one that is on the topic;
    - `state`: the state after an entry is another;
    - `crash`: the processor raised.
    """

    kind: Kind
    sequence: int
    """The journal's entry."""
    where: Mapping[str, Any]
    """Coordinates: topic, partition, offset, or the range that is known to hold it."""
    recorded: str
    found: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Name of a field -> (recorded, found), where both sides are events of one type."""

    def text(self) -> str:
        """Return it as a sentence."""
        at = ", ".join(f"{name} {value}" for name, value in self.where.items())
        fields = "".join(f"\n    {name}: {then!r}, now {now!r}" for name, (then, now) in self.fields.items())
        return (
            f"{self.kind} differs in entry {self.sequence} ({at}): recorded {self.recorded}; found {self.found}{fields}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "kind": self.kind,
            "sequence": self.sequence,
            "where": dict(self.where),
            "recorded": self.recorded,
            "found": self.found,
            "fields": {name: {"recorded": str(then), "found": str(now)} for name, (then, now) in self.fields.items()},
        }


@dataclass(slots=True)
class Verified:
    """What was compared of one task."""

    agent: str
    partition: int
    first: int | None = None
    """The first entry that was run again; None where none could be."""
    last: int | None = None
    entries: int = 0
    records: int = 0
    """Inputs that were read again, each range's digest compared."""
    outputs: int = 0
    """Outputs that were made again, each entry's digest compared."""
    outputs_on_topics: int = 0
    """Those of them that were also compared with the record that is on the topic."""
    outputs_gone: int = 0
    """Those whose record retention or compaction has removed."""
    others: int = 0
    """Records that stand among them and are not theirs: of other tasks, agents or people, or the same ones again."""
    notes: list[str] = field(default_factory=list)
    """What could not be compared, and why; what the journal was written by, where that differs from what runs now."""
    difference: Difference | None = None

    @property
    def equal(self) -> bool:
        """Whether something was compared, and nothing differed."""
        return self.difference is None and self.entries > 0

    def text(self) -> str:
        """Return it for people."""
        head = f"{self.agent}, partition {self.partition}: "
        if self.first is None:
            head += "nothing was compared"
        else:
            head += (
                f"entries {self.first} to {self.last}: {self.records} records, {self.outputs} outputs "
                f"({self.outputs_on_topics} also compared on their topics, {self.outputs_gone} no longer there; "
                f"{self.others} records of others among them)"
            )
            head += ": equal" if self.equal else ""
        lines = [head, *(f"  note: {note}" for note in self.notes)]
        if self.difference is not None:
            lines.append(f"  {self.difference.text()}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "agent": self.agent,
            "partition": self.partition,
            "first": self.first,
            "last": self.last,
            "entries": self.entries,
            "records": self.records,
            "outputs": self.outputs,
            "outputs_on_topics": self.outputs_on_topics,
            "outputs_gone": self.outputs_gone,
            "others": self.others,
            "notes": self.notes,
            "equal": self.equal,
            "difference": None if self.difference is None else self.difference.to_json(),
        }
