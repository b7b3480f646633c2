"""What `up`'s processes say of themselves, as `doctor` tells it: what stands still, why, and what to do."""

from __future__ import annotations

import time
from pathlib import Path

from tradewind.infra.status.readiness import held_by, with_readiness
from tradewind.infra.up.crew import STAYS_DOWN
from tradewind.infra.up.finding import Finding
from tradewind.infra.up.state import GONE, Held, WorkerState, read_state

PASSING_S = 5.0
"""How long a process is asked again that is not ready: a group's rebalance and a small restore are over by then."""
AGAIN_S = 1.0
MEANING = 'docs/observability.md, "Who says what",'
HELD = 'docs/observability.md, "A held partition"'


def ask_processes(data: Path, passing_s: float = PASSING_S, again_s: float = AGAIN_S) -> tuple[WorkerState, ...]:
    """Return the processes with what they say of themselves; what passes within some seconds is waited for."""
    deadline = time.monotonic() + passing_s
    while True:
        workers = with_readiness(read_state(data))
        if time.monotonic() >= deadline or not any(worker.stands_still for worker in workers):
            return workers
        time.sleep(again_s)


def findings(workers: tuple[WorkerState, ...]) -> list[Finding]:
    """Return a finding for each process, for each reason why one is not ready, and for each partition that is held."""
    held = held_by(workers)
    told = [finding for worker in workers for finding in (_phase(worker), *_readiness(worker, held))]
    return told + [_held(one, workers) for one in held]


def _phase(worker: WorkerState) -> Finding:
    if worker.phase == GONE:
        return Finding(worker.name, GONE, "`up` was killed: ./dev up starts this process, too", well=False)
    again = f"retry {worker.name}" if worker.phase in {phase.value for phase in STAYS_DOWN} else "down and ./dev up"
    instead = "" if worker.advice is None else f", or pass over the record that it dies of by ./dev {worker.advice}"
    return Finding(
        worker.name,
        worker.phase + (f", ended {worker.deaths} times" if worker.deaths else ""),
        f"read {worker.log}, mend the cause{instead}, then ./dev {again}",
        well=not worker.down,
    )


def _readiness(worker: WorkerState, held: tuple[Held, ...]) -> list[Finding]:
    """Return a finding for each reason of `/ready`, held partitions apart; a process that is starting is well."""
    if worker.ready is not False:
        return []
    since = f"it has been starting for {worker.age_s or 0:.0f} s: " if worker.starting else ""
    remedy = f"{MEANING} says what to do; {worker.log} has what it said"
    reasons = worker.reasons or ("it is not ready, and says no reason",)
    return [
        Finding(worker.name, f"{since}{reason}", remedy, well=worker.starting)
        for reason in reasons
        if not any(_is_of(reason, one) for one in held)
    ]


def _is_of(reason: str, held: Held) -> bool:
    """Return whether a reason is a watchdog's complaint of a held partition."""
    return reason.startswith(f"{held.group}: {held.topic}, partition {held.partition}, stands at")


def _held(held: Held, workers: tuple[WorkerState, ...]) -> Finding:
    """Return what is held; in the way once a watchdog complains, for a replay in real time waits for its next quote."""
    complained = any(_is_of(reason, held) for worker in workers for reason in worker.reasons)
    feed = f"start the feed of {held.instrument} again, or end it by a closing heartbeat: {HELD}"
    return Finding(
        "held",
        str(held),
        f"look at the workers that read {held.stage}; if they are well, {feed}" if held.stage else feed,
        well=not complained,
    )
