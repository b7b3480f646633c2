"""A worker that is ordered to hold a transaction does so before its commit, and what was not seen does not count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from runtime.records import LEASE, NOWHERE

from tradewind.infra.bench.parts.faults import held_worker, holding
from tradewind.infra.bench.parts.faults.groups import Group
from tradewind.infra.bench.parts.faults.held_worker import HeldOutbox, Order, Orders, told
from tradewind.infra.bench.parts.faults.holding import Bounds, Holding, Missed, Staged, heirs, state_of
from tradewind.streams.runtime.commit.outbox import Draft, Outbox, Outcome, Outgoing, Patience

DRAFT = Draft([Outgoing("t", 1, b"k", b"v", 5)], {("in", 0): 9})
STAGED = Staged(1, "group", "frozen", frozenset({("in", 0), ("in", 1)}))
BOUND_S = 120.0
"""A process of its own imports for 60 s where load is 90 on two cores."""
AT_ONCE = Bounds(meet_s=0.0, say_s=0.0, frozen_s=0.0, overstay_s=0.0, taken_over_s=0.0, answer_s=0.0)
FROZEN = """
import logging, sys
from pathlib import Path
from test_holding import Answering, DRAFT, sent
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
sent(Path(sys.argv[1]), Answering(), DRAFT)
"""


class Answering:
    """A producer whose commit is answered by what it was given, and all else well."""

    def __init__(self, *answers: KafkaException | None) -> None:
        self.answers = list(answers)
        self.commits = 0

    def commit_transaction(self, _seconds: float) -> None:
        self.commits += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer

    def flush(self, _seconds: float) -> int:
        return 0

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None


def outbox(folder: Path, producer: Answering) -> HeldOutbox:
    """Return an outbox that obeys, with a producer that answers."""
    held = HeldOutbox(Orders(folder), NOWHERE, "id", held_s=0.01)
    held._producer = cast("Producer", producer)
    return held


def sent(folder: Path, producer: Answering, draft: Draft = DRAFT) -> Outcome:
    """Send a draft by such an outbox."""
    return outbox(folder, producer).send(draft, LEASE, Patience(60))


def fenced() -> KafkaException:
    """Return what a producer is told whose transaction the coordinator has aborted."""
    return KafkaException(KafkaError(KafkaError._FENCED, "because", fatal=True))


@pytest.fixture
def at_once(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what is logged."""
    caplog.set_level("INFO", held_worker.MODULE)
    return caplog


def lines(caplog: pytest.LogCaptureFixture) -> str:
    """Return the log as a worker writes it."""
    return "".join(f"{record.name}: {record.getMessage()}\n" for record in caplog.records)


def test_a_transaction_is_held_once_and_what_came_of_it_is_told(
    tmp_path: Path, at_once: pytest.LogCaptureFixture
) -> None:
    """Which it was, how its commit was answered, and that the agent has committed since; all under one number."""
    producer = Answering(fenced(), None, None)
    held = outbox(tmp_path, producer)
    Orders(tmp_path).give(os.getpid(), "overstay")
    assert held.send(DRAFT, LEASE, Patience(60)) == Outcome("in doubt", "_FENCED: because")
    log = lines(at_once)
    staged, answered = told(log, "staged"), told(log, "answered")
    assert staged is not None
    assert answered is not None
    assert (staged["group"], staged["member"], staged["partitions"]) == ("group", "member", [])
    assert (answered["kind"], answered["reason"], answered["number"]) == (
        "in doubt",
        "_FENCED: because",
        staged["number"],
    )
    assert told(log, "went on") is None
    for _ in range(2):
        held._producer = cast("Producer", producer)  # the outbox has given it up
        assert held.send(DRAFT, LEASE, Patience(60)).kind == "committed"
    log = lines(at_once)
    assert told(log, "went on", staged["number"]) is not None
    assert told(log, "went on", staged["number"] + 1) is None
    assert [log.count(f" {step} ") for step in ("staged", "answered", "went on")] == [1, 1, 1]


def test_an_order_waits_for_a_transaction_with_records(tmp_path: Path, at_once: pytest.LogCaptureFixture) -> None:
    """Offsets of a first start, committed alone, are no work to hold."""
    Orders(tmp_path).give(os.getpid(), "overstay")
    sent(tmp_path, Answering(), Draft([], {("in", 0): 9}))
    assert lines(at_once) == ""
    sent(tmp_path, Answering())
    assert told(lines(at_once), "staged") is not None


def test_a_held_transaction_that_is_committed_all_the_same_is_told_as_such(
    tmp_path: Path, at_once: pytest.LogCaptureFixture
) -> None:
    """There is nothing to go on from."""
    held = outbox(tmp_path, Answering())
    Orders(tmp_path).give(os.getpid(), "overstay")
    for _ in range(2):
        assert held.send(DRAFT, LEASE, Patience(60)).kind == "committed"
    answered = told(lines(at_once), "answered")
    assert answered is not None
    assert answered["kind"] == "committed"
    assert told(lines(at_once), "went on") is None


def test_an_order_that_is_taken_back_is_not_obeyed(tmp_path: Path, at_once: pytest.LogCaptureFixture) -> None:
    """Only one side has it: who takes it first."""
    orders = Orders(tmp_path)
    orders.give(os.getpid(), "overstay")
    assert [orders.take(os.getpid(), "overstay") for _ in range(2)] == [True, False]
    sent(tmp_path, Answering())
    assert lines(at_once) == ""


def test_a_frozen_worker_stops_itself_before_it_asks_for_the_commit(tmp_path: Path) -> None:
    """All of its threads; it goes on where it stood."""
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-c", FROZEN, str(tmp_path)]
        frozen = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
        )
    try:
        Orders(tmp_path).give(frozen.pid, "freeze")
        deadline = time.monotonic() + BOUND_S
        while state_of(frozen.pid) != "T":
            assert time.monotonic() < deadline, log.read_text()
            assert frozen.poll() is None, log.read_text()
            time.sleep(0.02)
        time.sleep(0.2)
        assert told(log.read_text(), "staged") is not None
        assert told(log.read_text(), "answered") is None
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(BOUND_S) == 0
        answered = told(log.read_text(), "answered")
        assert answered is not None
        assert answered["held_s"] >= 0.2
    finally:
        frozen.kill()
        frozen.wait()


PATHS = (str(Path(__file__).parent), str(Path(__file__).parents[3]))


def described(stable: bool, **members: list[int]) -> Group:
    """Return a group whose members have partitions of `in`."""
    return Group(stable, {name: frozenset(("in", at) for at in partitions) for name, partitions in members.items()})


def test_others_have_taken_over_when_a_stable_group_without_the_member_has_all_it_had() -> None:
    """Each of these alone is not enough."""
    stable, moving = True, False
    assert sorted(heirs(described(stable, a=[0, 2], b=[1, 3], c=[4]), STAGED)) == ["a", "b"]
    assert not heirs(described(moving, a=[0, 1]), STAGED)
    assert not heirs(described(stable, a=[0, 1], frozen=[]), STAGED)
    assert not heirs(described(stable, a=[0]), STAGED)
    assert not heirs(described(stable), STAGED)


def staged_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *said: str, group: Group, frozen_s: float = 0.0
) -> Holding:
    """Return what gives orders to this process, which answers at once, as a worker of a group."""
    holder = Holding(NOWHERE, tmp_path, replace(AT_ONCE, frozen_s=frozen_s))
    log = tmp_path / "log"
    log.touch()

    def give(orders: Orders, pid: int, order: Order) -> None:
        (orders.folder / f"{pid}.{order}").touch()
        log.write_text("".join(f"{held_worker.MODULE}: {line}\n" for line in said))

    monkeypatch.setattr(Orders, "give", give)
    monkeypatch.setattr(Holding, "_described", lambda *_: group)
    return holder


HELD = 'staged {"number": 3, "group": "group", "member": "m", "partitions": [["in", 0]]}'
REFUSED = 'answered {"number": 3, "kind": "in doubt", "reason": "_FENCED: because", "held_s": 14.0}'
COMMITTED = 'answered {"number": 3, "kind": "committed", "reason": "", "held_s": 14.0}'
SILENT = 'answered {"number": 3, "kind": "in doubt", "reason": "_TIMED_OUT: no answer", "held_s": 14.0}'
WENT_ON = 'went on {"number": 3}'
OTHERS = ('went on {"number": 2}', 'answered {"number": 2, "kind": "aborted", "reason": "", "held_s": 1.0}')
ALIVE = {"m": [0]}
EXPELLED = {"a": [0]}


def test_a_transaction_has_timed_out_where_its_commit_was_refused_to_a_living_member(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And its agent has committed since."""
    group = described(True, **ALIVE)
    seen = staged_in(monkeypatch, tmp_path, HELD, REFUSED, WENT_ON, group=group).overstay(os.getpid(), tmp_path / "log")
    assert "after 14.0 s, is in doubt (_FENCED: because)" in seen


@pytest.mark.parametrize(
    ("said", "members", "instead"),
    [
        ((), ALIVE, "did not say 'staged'"),
        ((HELD,), ALIVE, "did not say 'answered'"),
        ((HELD, *OTHERS), ALIVE, "did not say 'answered'"),
        ((HELD, COMMITTED), ALIVE, "after 14.0 s, is committed"),
        ((HELD, SILENT), ALIVE, "is in doubt .*no answer"),
        ((HELD, REFUSED, WENT_ON), EXPELLED, "has expelled the member"),
        ((HELD, REFUSED, *OTHERS), ALIVE, "did not say 'went on'"),
    ],
)
def test_a_transaction_that_was_not_seen_to_time_out_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: tuple[str, ...], members: dict[str, list[int]], instead: str
) -> None:
    """What was seen instead is said."""
    group = described(True, **members)
    with pytest.raises(Missed, match=instead):
        staged_in(monkeypatch, tmp_path, *said, group=group).overstay(os.getpid(), tmp_path / "log")


@pytest.mark.parametrize(
    ("said", "state", "members", "instead"),
    [
        ((), "T", EXPELLED, "did not say 'staged'"),
        ((HELD,), "S", EXPELLED, "did not stop itself"),
        ((HELD,), "T", ALIVE, "has not given"),
        ((HELD,), "T", EXPELLED, "did not say 'answered'"),
        ((HELD, COMMITTED), "T", EXPELLED, "is committed"),
        ((HELD, REFUSED), "TS", EXPELLED, "was woken by somebody"),
    ],
)
def test_a_worker_that_was_not_seen_frozen_until_others_took_over_was_not_frozen(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    said: tuple[str, ...],
    state: str,
    members: dict[str, list[int]],
    instead: str,
) -> None:
    """It is woken in any case, and an order that it has not obeyed is taken back."""
    states = list(state)
    woken: list[tuple[int, int]] = []
    holder = staged_in(monkeypatch, tmp_path, *said, group=described(True, **members))
    monkeypatch.setattr(holding, "state_of", lambda _pid: states.pop(0) if len(states) > 1 else states[0])
    monkeypatch.setattr(os, "kill", lambda *signalled: woken.append(signalled))
    with pytest.raises(Missed, match=instead):
        holder.freeze(7, tmp_path / "log")
    assert woken == ([(7, signal.SIGCONT)] if said else [])
    assert Orders(tmp_path).take(7, "freeze") == bool(said)


def test_a_worker_is_frozen_for_at_least_the_time_of_its_transaction(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even where others have its partitions before."""
    group = described(True, **EXPELLED)
    holder = staged_in(monkeypatch, tmp_path, HELD, REFUSED, group=group, frozen_s=0.3)
    monkeypatch.setattr(holding, "state_of", lambda _pid: "T")
    monkeypatch.setattr(os, "kill", lambda *_: None)
    begun = time.monotonic()
    assert "1 other members of group had its 1 partitions" in holder.freeze(7, tmp_path / "log")
    assert time.monotonic() - begun >= 0.3


def test_an_order_that_is_obeyed_at_the_last_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It cannot be taken back any more: what the worker says is on its way."""
    holder = staged_in(monkeypatch, tmp_path, group=described(True, **ALIVE))

    def too_late(_orders: Orders, _pid: int, _order: Order) -> bool:
        (tmp_path / "log").write_text("".join(f"{held_worker.MODULE}: {line}\n" for line in (HELD, REFUSED, WENT_ON)))
        return False

    monkeypatch.setattr(Orders, "take", too_late)
    assert "is in doubt" in holder.overstay(os.getpid(), tmp_path / "log")


def test_the_hold_is_of_the_outbox_that_workers_have() -> None:
    """What is overridden is what an outbox calls last."""
    assert HeldOutbox._commit is not Outbox._commit
