"""`ai ask --stream`: what is shown while an answer comes, how it ends, and what a terminal has at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asking import request
from calls.calling import call
from click.testing import CliRunner
from deltas.contract import response
from deltas.in_memory import MemoryValkey

from tradewind.connectors.ai import asking
from tradewind.connectors.ai.asking import Unanswered, ask_live
from tradewind.connectors.ai.deltas.entries import Entry, added, stream_key
from tradewind.connectors.ai.deltas.merging import Delta, Done, Reset, Shown
from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.infra.cli.ai.shown import show, told_to_wait

ASKED = request(1)
SETTINGS = Settings(_env_file=None, redis=RedisSettings(url="redis://127.0.0.1:1"))
KEY = stream_key("", str(ASKED.tenant_id), ASKED.event_id)
ANSWER = response(call(), "the market is calm", request_id=ASKED.event_id, tenant_id=ASKED.tenant_id)
CODEC: Any = None


@pytest.fixture
def valkey(monkeypatch: pytest.MonkeyPatch) -> MemoryValkey:
    """Give a Valkey in memory, which has the first words of the answer."""
    server = MemoryValkey()
    monkeypatch.setattr(asking, "Link", lambda _: server.link())
    for number, text in enumerate(("the ", "market "), 1):
        _, key, *_, field, value = added(KEY, Entry(1, number, text), 10)
        server.streams.setdefault(str(key), []).append(((1, number), bytes(field), bytes(value)))  # type: ignore[arg-type]
    return server


def answers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[threading.Event], Any]) -> None:
    """Put something in the place of Kafka."""
    monkeypatch.setattr(asking, "ask", lambda _request, _settings, _codec, stopped: answer(stopped))


@pytest.mark.usefixtures("valkey")
def test_words_are_shown_before_the_answer_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response brings the rest, and is the end."""
    seen: list[Shown] = []
    two = threading.Event()

    def note(one: Shown) -> None:
        seen.append(one)
        if len(seen) == 2:
            two.set()

    def answer(_stopped: threading.Event) -> Any:
        assert two.wait(30), "no word was shown before the response came"
        return ANSWER

    answers(monkeypatch, answer)
    assert ask_live(ASKED, SETTINGS, CODEC, note) is ANSWER
    assert seen == [Delta("the "), Delta("market "), Delta("is calm"), Done(ANSWER)]


def test_without_valkey_the_answer_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is connected to."""
    seen: list[Shown] = []
    answers(monkeypatch, lambda _: ANSWER)
    assert ask_live(ASKED, Settings(_env_file=None), CODEC, seen.append) is ANSWER
    assert seen == [Delta("the market is calm"), Done(ANSWER)]


@pytest.mark.usefixtures("valkey")
def test_no_answer_in_time_is_the_error_of_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a group of errors, and nobody goes on waiting."""
    stops: list[threading.Event] = []

    def late(stopped: threading.Event) -> Any:
        stops.append(stopped)
        raise Unanswered("no response has come")

    answers(monkeypatch, late)
    with pytest.raises(Unanswered, match="no response has come"):
        ask_live(ASKED, SETTINGS, CODEC, lambda _: None)
    assert stops[0].is_set()


@pytest.mark.usefixtures("valkey")
def test_whoever_stops_looking_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, or a terminal that is gone: the thread that waits for the response is told."""
    stops: list[threading.Event] = []

    def waits(stopped: threading.Event) -> Any:
        stops.append(stopped)
        assert stopped.wait(30), "the wait went on"
        raise Unanswered("nobody waits any more")

    def gone(_: Shown) -> None:
        raise BrokenPipeError

    answers(monkeypatch, waits)
    with pytest.raises(BrokenPipeError):
        ask_live(ASKED, SETTINGS, CODEC, gone)
    assert stops[0].is_set()


def test_a_terminal_shows_text_as_it_comes_and_begins_again_after_a_reset(capsys: pytest.CaptureFixture[str]) -> None:
    """Why it begins again goes to standard error; the end is nothing to show."""
    for one in (Delta("the "), Delta("moon"), Reset("BROKEN: the line broke"), Delta("the market"), Done(ANSWER)):
        show(one)
    out, err = capsys.readouterr()
    assert out == "the moon\nthe market"
    assert err == "The text above is void, the answer begins again: BROKEN: the line broke\n"


def test_who_waits_for_long_is_told_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, on standard error; and not if the answer has begun."""
    with told_to_wait(65, after_s=0) as _:
        time.sleep(0.1)
    with told_to_wait(7, after_s=0.05) as heard:
        heard()
        time.sleep(0.1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("waiting for an answer, for 65 s at most. If the model is not slow, ./dev doctor says")
    assert err.count("waiting") == 1


def test_ask_stream_prints_the_answer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cost without zeros at the end."""
    from tradewind.infra.cli.ai import ai as command  # noqa: PLC0415 - the group has the module's name

    def live(_request: Any, _settings: Any, _codec: Any, shown: Callable[[Shown], None]) -> Any:
        for one in (Delta("the market "), Delta("is calm"), Done(ANSWER)):
            shown(one)
        return ANSWER

    monkeypatch.setattr(asking, "ask_live", live)
    monkeypatch.setattr(command, "_opened", lambda: (SETTINGS, None))
    done = CliRunner().invoke(command.ai, ["ask", "Is it calm?", "--stream"])
    assert (done.exit_code, done.stdout) == (0, "the market is calm\n")
    assert "0 tokens in, 0 out, 0 USD" in done.stderr
