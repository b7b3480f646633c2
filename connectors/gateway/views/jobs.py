"""Commands that take seconds, run beside the gateway: one process each, so that no request waits and no client is slow.

A job is asked for again and again by its pages. One of each name runs at a time, and what it printed is kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from tradewind.connectors.gateway.problems import Problem

RUN_S: Final = 600.0
"""The longest that a job may take; then its process is killed."""
OUTPUT_BYTES: Final = 4 * 1024 * 1024
AT_ONCE: Final = 2
"""Jobs that run side by side; others are refused."""
NICE: Final = 10
END_S: Final = 3.0
"""What a process that is told to end has, before it is killed."""
SAID: Final = 500
"""Characters of what a failed command said last."""
log = logging.getLogger(__name__)
Command = Callable[[Sequence[str]], Sequence[str]]
"""Returns the program and arguments that run a command of `tradewind`."""


@dataclass(slots=True)
class Job:
    """A command that runs, or has run."""

    name: str
    state: Literal["RUNNING", "DONE", "FAILED"]
    began_s: float
    """s since 1970."""
    ended_s: float | None = None
    result: Any = None
    """The JSON that it printed."""
    said: str = ""
    """Why it failed."""

    def to_json(self) -> dict[str, Any]:
        """Return what routes answer; `took_s` is the time so far while it runs."""
        end = time.time() if self.ended_s is None else self.ended_s
        return {
            "name": self.name,
            "state": self.state,
            "began": round(self.began_s, 3),
            "as_of": None if self.ended_s is None else round(self.ended_s, 3),
            "took_s": round(end - self.began_s, 1),
            "result": self.result,
            "said": self.said,
        }


class Jobs:
    """The jobs of one process of the gateway; for its event loop."""

    def __init__(self, command: Command, run_s: float = RUN_S) -> None:
        self._command = command
        self._run_s = run_s
        self._running: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._ended: dict[str, Job] = {}

    def of(self, name: str) -> tuple[Job | None, Job | None]:
        """Return the job of a name that runs, and the last one that has ended."""
        running = self._running.get(name)
        return None if running is None else running[0], self._ended.get(name)

    def begin(self, name: str, arguments: Sequence[str], success: Sequence[int] = (0,)) -> Job:
        """Return the job of this name that runs, begun if there is none; raises `Problem` if too many run.

        Its command prints one JSON object and exits with a status of `success`.
        """
        running = self._running.get(name)
        if running is not None:
            return running[0]
        if len(self._running) >= AT_ONCE:
            names = ", ".join(sorted(self._running))
            raise Problem(
                429,
                "BUSY",
                f"{names} run, and no more than {AT_ONCE} at once",
                "wait until one has ended",
                headers={"Retry-After": "5"},
            )
        job = Job(name, "RUNNING", time.time())
        task = asyncio.get_running_loop().create_task(self._run(job, arguments, success), name=f"job {name}")
        self._running[name] = (job, task)
        return job

    async def close(self) -> None:
        """Kill what runs."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()  # a task that had not begun leaves its job there

    async def _run(self, job: Job, arguments: Sequence[str], success: Sequence[int]) -> None:
        try:
            job.result = await self._output(arguments, success)
            job.state = "DONE"
        except (TimeoutError, OSError, ValueError) as error:
            job.state, job.said = "FAILED", str(error) or f"it took longer than {self._run_s:.0f} s"
            log.warning("job %s failed: %s", job.name, job.said)
        finally:
            job.ended_s = time.time()
            self._ended[job.name] = job
            self._running.pop(job.name, None)

    async def _output(self, arguments: Sequence[str], success: Sequence[int]) -> Any:
        """Return the JSON that a command prints; raises `ValueError` if it fails, `OSError` or `TimeoutError`."""
        process = await asyncio.create_subprocess_exec(
            *self._command(arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            async with asyncio.timeout(self._run_s):
                out, said = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
                status = await process.wait()
        finally:
            if process.returncode is None:
                await _ended(process)
        if status not in success:
            raise ValueError(said.decode(errors="replace").strip()[-SAID:] or f"it ended with status {status}")
        return json.loads(out)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process, which ends its own in turn; kill it if it does not."""
    process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    """Return what a process prints; raises `ValueError` if that is too much."""
    found = bytearray()
    while piece := await stream.read(65_536):
        found += piece
        if len(found) > OUTPUT_BYTES:
            raise ValueError(f"it printed more than {OUTPUT_BYTES:,} bytes")
    return bytes(found)
