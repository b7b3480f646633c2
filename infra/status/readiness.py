"""Asks workers whether they are ready, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus

import httpx

from tradewind.infra.up.crew import Phase
from tradewind.infra.up.state import WorkerState

ANSWER_S = 2.0  # a worker answers in milliseconds, on a busy machine in some more
ASKED_AT_ONCE = 16


def with_readiness(workers: Iterable[WorkerState]) -> tuple[WorkerState, ...]:
    """Return workers with what they answer to `/ready`; those that do not run, or answer nowhere, as they are."""
    workers = tuple(workers)
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return tuple(pool.map(_asked, workers))


def _asked(worker: WorkerState) -> WorkerState:
    if worker.url is None or worker.phase != Phase.RUNNING.value:
        return worker
    try:
        answer = httpx.get(f"{worker.url}/ready", timeout=ANSWER_S)
        told = answer.json()
        reasons = tuple(reason for found in told["reasons"].values() for reason in found)
    except (httpx.HTTPError, ValueError, KeyError, AttributeError, TypeError) as error:
        return replace(worker, ready=False, reasons=(f"{worker.url}/ready: {type(error).__name__}: {error}",))
    return replace(worker, ready=answer.status_code == HTTPStatus.OK, reasons=reasons)
