"""Verify a task: run again what its journal says it processed, and compare inputs, outputs and state as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

from tradewind.connectors.kafka.errors import OffsetGone
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import JournalEntry, StateSnapshot
from tradewind.streams.replay.beginning import Contents, JournalDamaged, choose, journaled
from tradewind.streams.replay.difference import Difference, Verified
from tradewind.streams.replay.outputs import Outputs
from tradewind.streams.replay.reading import PartitionReader, ends
from tradewind.streams.replay.rerun import Rerun
from tradewind.streams.runtime.agent import Agent, journal_topic, redrive_topic
from tradewind.streams.runtime.commit.versions import configured, versions
from tradewind.streams.runtime.work.state_format import format_of

MADE = {"dead letter", "output", "state", "crash"}
"""Kinds of differences that another version's code or schemas explain; what was read is the same for all."""
AgentOf = Callable[[Settings], Agent]
"""Makes an agent of settings: those that the journal recorded are put in place of today's."""


def verify(make: AgentOf, settings: Settings, codec: Codec, partition: int, wanted: int | None = None) -> Verified:
    """Run a task's journal again, up to its end as it is now, and compare; the agent may be running.

    `wanted` is the entry to begin with, or an earlier one where a snapshot is; as early as possible where None. Raises
    `StreamError` where Kafka does not answer.
    """
    return _Verification(make, settings, codec, partition).run(wanted)


class _Verification:
    """One task's verification."""

    def __init__(self, make: AgentOf, settings: Settings, codec: Codec, partition: int) -> None:
        self._make = make
        self._settings = settings
        self._codec = codec
        agent = make(settings)
        self._result = Verified(agent.name, partition)
        self._agent = agent
        self._at = (settings.physical(journal_topic(agent)), partition)
        self._stack = ExitStack()
        self._configuration = ""

    def run(self, wanted: int | None) -> Verified:
        with self._stack:
            try:
                self._result.difference = self._run(wanted)
            except OffsetGone as gone:
                self._result.notes.append(
                    f"retention removed what entry {self._next_sequence()} needs meanwhile: {gone}"
                )
            except JournalDamaged as damaged:
                where = {"topic": f"{self._result.agent}.journal", **self._place(damaged.offset)}
                self._result.difference = Difference(
                    "journal", self._next_sequence(), where, "an entry", damaged.reason
                )
        return self._result

    def _place(self, offset: int) -> dict[str, Any]:
        return {"partition": self._result.partition, "offset": offset}

    def _next_sequence(self) -> int:
        last = self._result.last
        return (self._result.first or 0) if last is None else last + 1

    def _run(self, wanted: int | None) -> Difference | None:
        low, end = (ends(self._settings, [self._at], which)[self._at] for which in ("earliest", "latest"))
        contents = self._scan(low, end)
        if contents.first is None:
            self._result.notes.append("its journal is empty: the task has processed nothing, or before there was one")
            return None
        begin = choose(contents, wanted)
        self._say_where(contents, begin, wanted)
        if begin is None:
            return None
        self._result.first = begin
        offset = contents.beginnings()[begin]
        snapshot = self._snapshot(begin, offset, end) if contents.begins_with_snapshot(begin) else None
        if isinstance(snapshot, Difference):
            return snapshot
        different = self._compare(begin, offset, end, snapshot)
        if different is None or wanted is not None or different.kind not in MADE:
            return different
        again = self._after_other_format(contents, different)
        return different if again is None else self._run(again)

    def _after_other_format(self, contents: Contents, different: Difference) -> int | None:
        """Return where to begin again after entries that another version made, None where the difference is ours.

        That version may have decided otherwise, and it wrote state in other bytes: what it did can be run again by that
        version only. When one of ours takes a task over from it, the journal has a snapshot.
        """
        if different.sequence > contents.last_of_other:
            return None
        result = self._result
        again = next((entry for entry in contents.beginnings() if entry > contents.last_of_other), None)
        after = "there is no snapshot after them" if again is None else f"it goes on with entry {again}"
        result.notes.append(
            f"entry {different.sequence} differs ({different.kind}), and entries up to {contents.last_of_other} were "
            f"made by a version that writes state in format {contents.other_format}, where this one has "
            f"{contents.format}: verify them by that version; {after}"
        )
        if again is None:
            return None
        result.notes.append(f"of them, {result.entries} were run again before, and were equal")
        result.first = result.last = None
        self._configuration = ""
        result.entries = result.records = result.outputs = 0
        result.outputs_on_topics = result.outputs_gone = result.others = 0
        return again

    def _scan(self, low: int, end: int) -> Contents:
        topics = (*self._agent.inputs, redrive_topic(self._agent))
        inputs = {self._settings.physical(topic): topic.name for topic in topics}
        lowest = ends(self._settings, [(name, self._at[1]) for name in inputs], "earliest")
        by_topic = {inputs[name]: offset for (name, _), offset in lowest.items()}
        contents = Contents(format=format_of(self._agent))
        with PartitionReader(self._settings, self._at, low) as reader:
            for offset, event in journaled(reader, self._codec, end):
                contents.add(offset, event, by_topic)
        return contents

    def _say_where(self, contents: Contents, begin: int | None, wanted: int | None) -> None:
        notes = self._result.notes
        if contents.first:
            notes.append(f"the journal begins with entry {contents.first}: retention has removed those before")
        if contents.incomplete >= 0:
            notes.append(
                f"inputs of entry {contents.incomplete} and before were removed by retention ({contents.gone}): these "
                "entries cannot be run again"
            )
        if begin is None:
            notes.append(f"there is no snapshot after which all inputs are there (entries up to {contents.last})")
        elif wanted is not None and begin > wanted:
            notes.append(f"it begins with entry {begin}, the first that can be run, not with {wanted}")
        elif begin > (contents.first or 0) and wanted is None:
            notes.append(f"it begins with the snapshot before entry {begin}")

    def _snapshot(self, sequence: int, offset: int, end: int) -> Mapping[int, StateSnapshot] | Difference:
        """Return the parts of a snapshot by their numbers."""
        parts: dict[int, StateSnapshot] = {}
        with PartitionReader(self._settings, self._at, offset) as reader:
            for _, event in journaled(reader, self._codec, end):
                if isinstance(event, StateSnapshot) and event.sequence == sequence:
                    parts[event.part] = event
                    if len(parts) == event.parts:
                        break
        return parts

    def _compare(
        self, begin: int, offset: int, end: int, snapshot: Mapping[int, StateSnapshot] | None
    ) -> Difference | None:
        rerun = Rerun(self._settings, self._codec, self._result.partition, begin)
        self._stack.enter_context(closing(rerun))
        different = rerun.begin(self._agent, snapshot)
        if different is not None:
            return different
        outputs = Outputs(self._agent, self._settings, self._codec, whole=begin == 0 and snapshot is None)
        self._stack.enter_context(closing(outputs))
        reader = self._stack.enter_context(PartitionReader(self._settings, self._at, offset))
        for at, event in journaled(reader, self._codec, end):
            if event.sequence < begin:
                continue
            if isinstance(event, StateSnapshot):
                different = rerun.check_snapshot(event)
            else:
                self._configure(event, rerun)
                different = self._entry(event, at, rerun, outputs)
            if different is not None:
                return different
        return None

    def _entry(self, entry: JournalEntry, at: int, rerun: Rerun, outputs: Outputs) -> Difference | None:
        result, expected = self._result, self._next_sequence()
        if entry.sequence != expected:
            where = {"topic": f"{result.agent}.journal", **self._place(at)}
            return Difference("journal", expected, where, f"entry {expected}", f"entry {entry.sequence}")
        ranges: Sequence[Mapping[str, Any]] = entry.ranges
        different, made = rerun.run(entry)
        on_topic = None if made is None else outputs.compare(entry.sequence, made)
        if different is not None:
            return on_topic if different.kind == "output" and on_topic is not None else different
        result.last = entry.sequence
        result.entries += 1
        result.records += sum(int(each["count"]) for each in ranges)
        result.outputs += entry.outputs
        result.outputs_on_topics, result.outputs_gone, result.others = outputs.found, outputs.gone, outputs.others
        return on_topic

    def _configure(self, entry: JournalEntry, rerun: Rerun) -> None:
        """Go on with the configuration that the entry was made with; say what else differs from what runs now."""
        if entry.versions is None:
            return
        now = versions(self._settings, self._agent)
        for name in ("code", "lock", "python"):
            if entry.versions[name] != now[name]:
                made = f"entry {entry.sequence} and after were made with {name} {entry.versions[name]}"
                self._note_once(f"{made}; this is {now[name]}")
        if entry.versions["configuration"] != self._configuration:
            self._configuration = entry.versions["configuration"]
            rerun.use(self._make(configured(self._settings, self._configuration)))

    def _note_once(self, note: str) -> None:
        if note not in self._result.notes:
            self._result.notes.append(note)
