"""Asks workers whether they are ready, and why not."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus

import httpx
import psutil

from tradewind.connectors.certificates import certificates
from tradewind.infra.up.crew import Phase
from tradewind.infra.up.state import Held, Waiting, WorkerState

ANSWER_S = 2.0  # a worker answers in milliseconds, on a busy machine in some more
HELD_S = 5.0  # a live feed's ticks are held for as long as its shortest bar takes to close, a second
ASKED_AT_ONCE = 16


def with_readiness(workers: Iterable[WorkerState]) -> tuple[WorkerState, ...]:
    """Return workers with what they answer to `/ready`; those that do not run, or answer nowhere, as they are."""
    workers = tuple(workers)
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return tuple(pool.map(_asked, workers))


def held_by(workers: Iterable[WorkerState]) -> tuple[Held, ...]:
    """Return the partitions that have been held for `HELD_S` or longer."""
    return tuple(held for worker in workers for held in worker.held if held.seconds >= HELD_S)


def _asked(worker: WorkerState) -> WorkerState:
    if worker.url is None or worker.phase != Phase.RUNNING.value:
        return worker
    worker = replace(worker, age_s=_age_s(worker.pid))
    try:
        answer = httpx.get(f"{worker.url}/ready", timeout=ANSWER_S, verify=certificates())
        told = answer.json()
        reasons = tuple(reason for found in told["reasons"].values() for reason in found)
        held = tuple(Held(**one) for one in told.get("held", ()))
        waiting = tuple(Waiting(**one) for one in told.get("waiting", ()))
        restoring = tuple(str(one["group"]) for one in told.get("restoring", ()))
    except (httpx.HTTPError, ValueError, KeyError, AttributeError, TypeError) as error:
        return replace(worker, ready=False, reasons=(f"{worker.url}/ready: {type(error).__name__}: {error}",))
    ready = answer.status_code == HTTPStatus.OK
    return replace(worker, ready=ready, reasons=reasons, held=held, waiting=waiting, restoring=restoring)


def _age_s(pid: int | None) -> float | None:
    """Return how long a process has run; None where there is none."""
    try:
        return None if pid is None else max(0.0, time.time() - psutil.Process(pid).create_time())
    except psutil.Error:
        return None
