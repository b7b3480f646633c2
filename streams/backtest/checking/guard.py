"""Refuse what a strategy must not use while it is called: clock, randomness, files, network, other processes.

Three mechanisms see a call:

- An audit hook of the interpreter (PEP 578): files, sockets, processes, threads and looks at all objects in memory.
- A profile function, which sees calls of C functions by whatever name they were imported: the clock and randomness.
- Functions put in the place of those for which the arguments decide, such as `time.localtime()`, and of numpy's.

Some calls are not seen: compiled code that reads the clock or a file itself, functions of numpy's global generator that
were imported by name, `os.stat`, and whatever a module does while it is imported. A file that the constructor reads is
allowed. The other probes may still find what such calls lead to.
"""

from __future__ import annotations

import copy
import datetime
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from types import FrameType, ModuleType
from typing import Any, Final

from tradewind.processors.signals.strategy import Strategy

METHODS: Final = ("on_bar", "on_news", "on_answer")
CLOCK, RANDOM, FILE, NETWORK, PROCESS, MEMORY = "clock", "randomness", "file", "network", "process", "memory of others"
ADVICE: Final = {
    CLOCK: "use the times of the bar",
    RANDOM: "draw from a generator that is seeded by the bar, or draw nothing",
    FILE: "read what it needs in the constructor",
    NETWORK: "take what it needs as a parameter, or ask a model by self.ask",
    PROCESS: "compute it in the call",
    MEMORY: "keep what it needs in its memory",
}
PREFIXES: Final = (
    (("open", "mmap.", "shutil.", "tempfile.", "glob.", "pathlib.", "sqlite3."), FILE),
    (("socket.", "http.", "urllib.", "ftplib.", "smtplib.", "imaplib.", "poplib."), NETWORK),
    (("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill", "pty."), PROCESS),
    (("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function", "_thread.start"), PROCESS),
    (("gc.get_", "sys._current_"), MEMORY),
    (("os.",), FILE),
)
"""Beginnings of names of audit events -> what they use; the first that fits counts."""
READS_CLOCK: Final = frozenset(
    f"{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
)
OF_DATES: Final = frozenset({"now", "utcnow", "today"})
DRAWS: Final = frozenset({"random", "getrandbits", "seed"})
OF_SYSTEM: Final = frozenset({"urandom", "getrandom"})
STARTS: Final = frozenset({"start_new_thread", "start_joinable_thread"})
SUSPECT: Final = READS_CLOCK | OF_DATES | DRAWS | OF_SYSTEM | STARTS
WITHOUT_ARGUMENTS: Final = {"localtime": 1, "gmtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}
"""Functions of `time` that read the clock if they get fewer arguments than this."""
IMPORTING: Final = "<frozen importlib"
LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
MOST_NAMED: Final = 20  # calls that a report names


class Forbidden(Exception):
    """A strategy used what it must not use; the message names the call and the line."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One call that was refused."""

    kind: str
    call: str
    where: str
    """`file.py:12 function` of the strategy."""

    def __str__(self) -> str:
        return f"{self.call} at {self.where} uses {_article(self.kind)}: {ADVICE[self.kind]}"


@dataclass(slots=True)
class Guard:
    """What was refused so far. A strategy that catches the error is found all the same."""

    refused: dict[Refusal, int] = field(default_factory=dict)
    """Refusal -> how often."""
    _thread: int | None = None
    """The thread in which a strategy runs now."""

    @property
    def is_on(self) -> bool:
        """Whether a strategy runs in this thread now."""
        return self._thread == threading.get_ident()

    def refuse(self, kind: str, call: str, frame: FrameType | None) -> None:
        """Note a call and raise `Forbidden`; do nothing for what the import of a module leads to."""
        frames = [*_frames(frame)]
        if any(one.f_code.co_filename.startswith(IMPORTING) for one in frames):
            return
        refusal = Refusal(kind, _named(call, frames), _where(frames))
        if refusal in self.refused or len(self.refused) < MOST_NAMED:
            self.refused[refusal] = self.refused.get(refusal, 0) + 1
        raise Forbidden(str(refusal))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse calls of this thread in this block, while it runs a strategy."""
        before, self._thread = sys.getprofile(), threading.get_ident()
        sys.setprofile(partial(_on_profile, self))
        try:
            yield
        finally:
            self._thread = None
            sys.setprofile(before)

    def over(self, strategy: Strategy) -> Strategy:
        """Return a strategy like this one, whose methods run in `watching`."""
        of = type(strategy)
        own = [name for name in METHODS if getattr(of, name) is not getattr(Strategy, name)]
        members = {name: _watched(getattr(of, name), self) for name in own}
        of_class: Any = type(of)  # a metaclass, such as ABCMeta
        kind = of_class(of.__name__, (of,), {"__slots__": (), "__module__": of.__module__, **members})
        made = copy.copy(strategy)
        object.__setattr__(made, "__class__", kind)
        return made


@contextmanager
def guarding() -> Iterator[Guard]:
    """Give a guard; one at a time in a process."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_on_audit)  # stays for good, and does nothing without a guard
    guard = Guard()
    assert not _guards, "another guard is there"
    _guards.append(guard)
    try:
        with _replaced(guard):
            yield guard
    finally:
        _guards.clear()


_hooked: list[bool] = []
_guards: list[Guard] = []


def _watched(method: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
    @wraps(method)
    def watched(*given: Any) -> Any:
        if guard.is_on:  # called by a method of the strategy itself
            return method(*given)
        with guard.watching():
            return method(*given)

    return watched


ENTRY: Final = _watched(len, Guard()).__code__
"""Where a strategy's frames begin."""


def _on_audit(event: str, given: tuple[Any, ...]) -> None:
    if not _guards or not _guards[0].is_on:
        return
    kind = next((kind for names, kind in PREFIXES if event.startswith(names)), None)
    if kind is None:
        return
    told = repr(given[0]) if event == "open" and given else ""
    _guards[0].refuse(kind, f"{event}({told})", sys._getframe(1))


def _on_profile(guard: Guard, frame: FrameType, event: str, given: Any) -> None:
    if event == "c_call":
        name = getattr(given, "__name__", "")
        if name in SUSPECT:
            kind = _kind_of(given, name, frame)
            if kind is not None:
                guard.refuse(kind, f"{_home(given)}{name}()", frame)
    elif event == "call" and frame.f_code.co_name.startswith(("read_", "scan_")) and _is_polars_reader(frame):
        guard.refuse(FILE, f"polars.{frame.f_code.co_name}()", frame.f_back)


def _is_polars_reader(frame: FrameType) -> bool:
    return "/polars/io/" in frame.f_code.co_filename.replace("\\", "/")


def _kind_of(called: Any, name: str, frame: FrameType) -> str | None:
    """Return what a C function of a suspect name uses; None if it only shares the name."""
    owner, module = getattr(called, "__self__", None), getattr(called, "__module__", None)
    if name in READS_CLOCK and module == "time":
        return CLOCK
    if name in OF_DATES and isinstance(owner, type) and issubclass(owner, datetime.date):
        return CLOCK
    if name in OF_SYSTEM and module in {"posix", "nt"}:
        return RANDOM
    if name in STARTS and module == "_thread":  # before 3.12 no audit event says so
        return PROCESS
    if isinstance(owner, random.Random) and name in DRAWS:
        if owner is random._inst:
            return RANDOM
        if name == "seed" and frame.f_code is random.Random.seed.__code__ and frame.f_locals.get("a") is None:
            return RANDOM
    return None


def _home(called: Any) -> str:
    owner = getattr(called, "__self__", None)
    if isinstance(owner, ModuleType):
        return f"{owner.__name__}."
    return f"{owner.__name__ if isinstance(owner, type) else type(owner).__name__}."


@contextmanager
def _replaced(guard: Guard) -> Iterator[None]:
    """Put functions that refuse in the place of those that a profile function cannot judge."""
    places: list[tuple[ModuleType, Mapping[str, Callable[..., Any]]]] = [(time, _of_time(guard))]
    of_numpy = sys.modules.get("numpy.random")
    if of_numpy is not None:
        places.append((of_numpy, _of_numpy(guard, of_numpy)))
    before = [(module, name, getattr(module, name)) for module, made in places for name in made]
    try:
        for module, made in places:
            for name, function in made.items():
                setattr(module, name, function)
        yield
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def _of_time(guard: Guard) -> Mapping[str, Callable[..., Any]]:
    def instead(name: str, least: int) -> Callable[..., Any]:
        original = getattr(time, name)

        @wraps(original)
        def function(*given: Any) -> Any:
            if guard.is_on and len(given) < least:
                guard.refuse(CLOCK, f"time.{name}()", sys._getframe(1))
            return original(*given)

        return function

    return {name: instead(name, least) for name, least in WITHOUT_ARGUMENTS.items()}


def _of_numpy(guard: Guard, module: ModuleType) -> Mapping[str, Callable[..., Any]]:
    shared = module.mtrand._rand

    def instead(name: str) -> Callable[..., Any]:
        original = getattr(module, name)

        def function(*given: Any, **named: Any) -> Any:
            if guard.is_on:
                guard.refuse(RANDOM, f"numpy.random.{name}()", sys._getframe(1))
            return original(*given, **named)

        return function

    return {name: instead(name) for name in vars(module) if getattr(getattr(module, name), "__self__", None) is shared}


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of the strategy, the innermost first."""
    while frame is not None and frame.f_code is not ENTRY:
        yield frame
        frame = frame.f_back


def _is_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((*LIBRARIES, "<frozen"))


def _named(call: str, frames: list[FrameType]) -> str:
    """Return the name of a call as the strategy made it: `random.randint()`, and not what that calls."""
    own = next((at for at, frame in enumerate(frames) if not _is_library(frame)), len(frames))
    if not 0 < own < len(frames):
        return call
    outer = frames[own - 1]
    return f"{outer.f_globals.get('__name__', '?')}.{outer.f_code.co_name}(), by {call},"


def _where(frames: list[FrameType]) -> str:
    frame = next((one for one in frames if not _is_library(one)), frames[-1] if frames else None)
    if frame is None:
        return "its own method"
    file = frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file}:{frame.f_lineno} {frame.f_code.co_name}"


def _article(kind: str) -> str:
    return {CLOCK: "the clock", FILE: "a file", NETWORK: "the network", PROCESS: "another process or thread"}.get(
        kind, kind
    )
