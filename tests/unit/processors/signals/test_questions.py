"""Strategies ask models, and get each answer once: in time, or None."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, START, assert_law, bar, deployed, heartbeat, ingested, places, quote_streams, result

from tests.unit.schemas.strategies import ordinary
from tradewind.connectors.ai.prompt_files import prompts
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.prompts import prompt_from
from tradewind.processors.batch import Processor, UnknownSymbol
from tradewind.processors.identity import derive_id
from tradewind.processors.market.processor import GRACE_US, bars
from tradewind.processors.signals.questions import LONGEST_VALID_S, MOST_OPEN, Asker
from tradewind.processors.signals.sentiment import NewsSentiment
from tradewind.processors.signals.strategy import JSON, Answer, Strategy, View
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.market import Bar, Heartbeat, News, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import QuestionsState, Signal
from tradewind.testing import MemoryState, rows, run

PROMPT = prompt_from("calm@1", 'user = "Is $symbol calm at $close?"\nrequest_type = "trading_signal"\nmax_tokens = 7')
ASKER = Asker("beta", {PROMPT.name: PROMPT})
VALID_S = 3.0


class Asking(Strategy):
    """Asks about every bar, and trades on every answer; None is an answer, too."""

    name = "asking"
    interval_s = 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        memory["asked"] = [*memory.get("asked", []), self.ask("calm@1", values(bar), VALID_S)][-40:]
        return None

    def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
        memory["told"] = [*memory.get("told", []), answer and answer.question][-40:]
        return View("SHORT", 0.25, "no answer") if answer is None else View("LONG", 0.5, answer.text)


class Hearing(Asking):
    """Asks about news, too."""

    name = "hearing"

    def on_news(self, memory: dict[str, JSON], news: News) -> View | None:
        memory["heard"] = news.headline
        self.ask("calm@1", {"symbol": news.symbol, "close": memory["heard"]}, VALID_S)
        return View("SHORT", 1.0, "any news is bad news") if news.body else None


def news(symbol: str = "EURUSD", number: int = 1, **other: Any) -> News:
    """Return a news item."""
    said: dict[str, Any] = {"headline": "ECB keeps its rate", "body": "", **other}
    return ordinary(News.SCHEMA, symbol=symbol, venue="OANDA", event_id=derive_id("news", number), **said)  # type: ignore[return-value]


def values(of: Bar) -> dict[str, Any]:
    """Return what the prompt needs."""
    return {"symbol": of.symbol, "close": of.mid_close}


def closed(second: int, **other: Any) -> Bar:
    """Return a bar of a second, that many seconds after the start."""
    return bar(START + second * SECOND, interval_s=1, **other)


def response(request: AiRequest, after_s: float = 1.0, text: str = "calm", **other: Any) -> AiResponse:
    """Return the answer to a request, so much later."""
    known = ordinary(AiResponse.SCHEMA, status="ANSWERED", code=None, json=None, reason="", provider="paper", model="p")
    at = request.ts_event + round(after_s * SECOND)
    said: dict[str, Any] = {
        "tenant_id": request.tenant_id,
        "request_id": request.event_id,
        "reply_key": request.reply_key,
        "ts_event": at,
        "text": text,
    }
    return replace(known, ts_ingest=at, **{**said, **other})  # type: ignore[type-var,return-value]


def asking(*strategies: Strategy) -> Processor:
    """Return an agent whose strategies may ask."""
    return deployed(strategies or (Asking(),), ASKER)


def both() -> Processor:
    """Return an agent with a strategy that asks about bars, and one that asks about news as well."""
    return asking(Asking(), Hearing())


def of(events: list[Event], *models: type[Event]) -> list[Any]:
    """Return the events of some models."""
    return [event for event in events if isinstance(event, models)]


def counted(state: MemoryState, name: str = "EURUSD.OANDA") -> tuple[int, int, int, int, int]:
    """Return what is kept of the questions about an instrument: open, asked, answered, unanswered, late."""
    known = state.get(f"questions/{name}", QuestionsState)
    assert known is not None
    return len(known.open), known.asked, known.answered, known.unanswered, known.late


def test_a_question_is_a_request_that_follows_from_the_bar() -> None:
    """Its id, its time, and who waits for the response: whoever has the bars of the instrument."""
    (request,) = of(run(asking(), [closed(0)]), AiRequest)
    assert request == of(run(asking(), [closed(0)]), AiRequest)[0]
    assert (request.tenant_id, request.prompt, request.prompt_digest) == ("beta", "calm@1", PROMPT.digest)
    assert request.prompt_values == ({"name": "close", "value": "1.25"}, {"name": "symbol", "value": "EURUSD"})
    assert (request.reply_key, request.makes_orders, request.stream) == ("EURUSD.OANDA", True, "NONE")
    assert (request.request_type, request.max_tokens) == ("trading_signal", 7)
    assert (request.ts_event, request.valid_until, request.deadline_ms) == (START, START + 3 * SECOND, 3_000)
    assert request.causation_id == closed(0).event_id
    (later,) = of(run(asking(), [closed(1)]), AiRequest)
    assert later.event_id != request.event_id


def test_an_answer_makes_a_signal_at_the_first_time_that_is_not_promised() -> None:
    """It carries the last closing quote, and what the strategy remembers is what its bars left."""
    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    run(deployed([Asking()], ASKER), [heartbeat(START + SECOND // 2)], state)
    (signal,) = run(asking(), [response(request)], state)
    assert isinstance(signal, Signal)
    assert (signal.direction, signal.reason, signal.strength) == ("LONG", "calm", 0.5)
    assert signal.ts_event == START + SECOND // 2 + 1
    assert (signal.quote_bid, signal.quote_ask, signal.quote_ts) == (1.25, 1.25, START)
    assert (signal.causation_id, signal.correlation_id) == (request.event_id, request.correlation_id)
    assert counted(state) == (0, 1, 1, 0, 0)


def test_past_its_validity_a_question_gets_none_once_and_a_late_answer_is_only_counted() -> None:
    """By event time: the heartbeat at its end says so, and nothing changes it again."""
    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    assert of(run(asking(), [heartbeat(START + 3 * SECOND - 1)], state), Signal) == []
    sent = run(asking(), [heartbeat(START + 3 * SECOND)], state)
    assert [type(event) for event in sent] == [Heartbeat, Signal]
    assert (sent[1].reason, sent[1].ts_event) == ("no answer", START + 3 * SECOND + 1)  # type: ignore[attr-defined]
    assert run(asking(), [response(request), heartbeat(START + 9 * SECOND)], state) == [heartbeat(START + 9 * SECOND)]
    assert counted(state) == (0, 1, 0, 1, 1)


def test_an_answer_that_took_longer_than_its_validity_is_late_even_where_no_quote_came() -> None:
    """A slow replay gives no more time than a live market."""
    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    (signal,) = run(asking(), [response(request, after_s=3.1)], state)
    assert signal.reason == "no answer"  # type: ignore[attr-defined]
    assert counted(state) == (0, 1, 0, 1, 1)


@pytest.mark.parametrize("status", ["REFUSED", "FAILED", "INVALID", "EXPIRED"])
def test_a_question_without_an_answer_gets_none_at_once(status: Any) -> None:
    """The response says why; the strategy only needs to know that none comes."""
    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    (signal,) = run(asking(), [response(request, status=status, text="")], state)
    assert signal.reason == "no answer"  # type: ignore[attr-defined]
    assert counted(state) == (0, 1, 0, 1, 0)


def test_json_of_an_answer_is_parsed() -> None:
    """Where the prompt asks for it."""

    class Reads(Asking):
        def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
            assert answer is not None
            assert (answer.prompt, answer.provider, answer.model) == ("calm@1", "paper", "p")
            return View("LONG", answer.json["share"], "as told")

    state = MemoryState()
    (request,) = of(run(asking(Reads()), [closed(0)], state), AiRequest)
    (signal,) = run(asking(Reads()), [response(request, json='{"share":0.125}')], state)
    assert isinstance(signal, Signal)
    assert signal.strength == 0.125


def test_nobody_else_answers() -> None:
    """Not another tenant that knows the id; not a response to somebody whose key is an instrument."""
    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    assert run(asking(), [response(request, tenant_id="alpha")], state) == []
    assert run(asking(), [response(request, reply_key="XAUUSD.OANDA")], state) == []
    assert counted(state) == (1, 1, 0, 0, 0)
    assert not [key for key in state.values if "XAUUSD" in key]


def test_what_is_open_is_bounded() -> None:
    """The 17th question is not asked, and the strategy is told so by None."""
    state = MemoryState()

    class Patient(Asking):
        def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
            memory["asked"] = [self.ask("calm@1", values(bar), LONGEST_VALID_S) for _ in range(10)]
            return None

    sent = [of(run(asking(Patient()), [closed(at)], state), AiRequest) for at in range(3)]
    assert [len(one) for one in sent] == [10, MOST_OPEN - 10, 0]
    assert len({request.event_id for one in sent for request in one}) == MOST_OPEN
    assert counted(state)[:2] == (MOST_OPEN, MOST_OPEN)
    memory = state.values["memory/alpha/main/asking/1/1/EURUSD.OANDA"]
    assert memory.memory == f'{{"asked": [{", ".join(["null"] * 10)}]}}'  # type: ignore[attr-defined]
    (signal,) = run(asking(Patient()), [response(sent[0][0])], state)
    assert signal.reason == "calm"  # type: ignore[attr-defined]
    assert len(of(run(asking(Patient()), [closed(3)], state), AiRequest)) == 1


class Wrong(Asking):
    """Asks wrongly."""

    def __init__(self, *how: Any) -> None:
        self.how = how

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        self.ask(*self.how)
        return None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("calm@2", {}), "is it calm@1"),
        (("calm@1", {}), "needs a value for close, symbol"),
        (("calm@1", {"symbol": "", "close": 1}, 0), "valid_s is 0"),
        (("calm@1", {"symbol": "", "close": 1}, float("nan")), "valid_s is nan"),
        (("calm@1", {"symbol": "", "close": 1}, 3_601), "at most 3,600 s"),
    ],
    ids=["prompt", "values", "no time", "nan", "too long"],
)
def test_a_wrong_question_quarantines_its_strategy_and_says_why(how: Any, said: str) -> None:
    """Nothing is asked."""
    sent = run(asking(Wrong(*how)), [closed(0), closed(1)])
    (alert,) = of(sent, Alert)
    assert said in alert.message
    assert of(sent, AiRequest) == []


def test_who_asks_takes_answers() -> None:
    """Else its questions would cost something and lead to nothing."""

    class Deaf(Strategy):
        name, interval_s = "deaf", 1

        def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
            self.ask("calm@1", values(bar))
            return None

    (alert,) = of(run(asking(Deaf()), [closed(0)]), Alert)
    assert "no on_answer" in alert.message
    with pytest.raises(RuntimeError, match="outside of a call"):
        Asking().ask("calm@1", {})


def test_a_failure_on_an_answer_quarantines() -> None:
    """As one on a bar does; its memory stays as it was, and other open questions end without it."""

    class Fails(Asking):
        def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
            memory["half"] = "written"
            raise KeyError("nothing")

    state = MemoryState()
    first, _ = of(run(asking(Fails()), [closed(0), closed(1)], state), AiRequest)
    (alert,) = run(asking(Fails()), [response(first)], state)
    assert isinstance(alert, Alert)
    assert "half" not in state.values["memory/alpha/main/asking/1/1/EURUSD.OANDA"].memory  # type: ignore[attr-defined]
    assert run(asking(Fails()), [heartbeat(START + 9 * SECOND)], state) == [heartbeat(START + 9 * SECOND)]
    assert counted(state)[0] == 0


def test_another_version_gets_no_answer_of_its_predecessor() -> None:
    """Its memory does not know the question."""

    class Next(Asking):
        version = 2

    state = MemoryState()
    (request,) = of(run(asking(), [closed(0)], state), AiRequest)
    assert run(asking(Next()), [response(request)], state) == []
    (again,) = of(run(asking(Next()), [closed(0)]), AiRequest)
    assert again.event_id != request.event_id


def test_a_question_may_lead_to_another() -> None:
    """Within `on_answer`, with an id of its own."""

    class Curious(Asking):
        def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
            memory["more"] = self.ask("calm@1", {"symbol": "X", "close": 1})
            return None

    state = MemoryState()
    (request,) = of(run(asking(Curious()), [closed(0)], state), AiRequest)
    (more,) = run(asking(Curious()), [response(request)], state)
    assert isinstance(more, AiRequest)
    assert more.event_id != request.event_id
    (last,) = run(asking(Curious()), [response(more)], state)
    assert isinstance(last, AiRequest)


def test_news_are_heard_by_instrument_after_its_first_bar() -> None:
    """A signal needs a quote. What follows has the first time that is not promised."""
    state, agent = MemoryState(), asking(Hearing())
    assert run(agent, [news()], state) == []
    run(agent, [closed(0)], state)
    assert run(agent, [news("XAUUSD")], state) == []
    request, signal = run(agent, [news(body="it says why")], state)
    assert isinstance(request, AiRequest)
    assert isinstance(signal, Signal)
    assert request.prompt_values[0] == {"name": "close", "value": "ECB keeps its rate"}
    assert (request.causation_id, signal.causation_id) == (news().event_id, news().event_id)
    assert request.ts_event == signal.ts_event == START
    assert (signal.quote_ts, signal.direction) == (START, "SHORT")
    (again,) = run(agent, [response(request)], state)
    assert isinstance(again, Signal)


@pytest.mark.parametrize(
    ("sentiment", "confidence", "view"),
    [
        (0.5, 0.8, ("LONG", 0.4)),
        (-1, 1, ("SHORT", 1.0)),
        (0.5, 0.3, None),
        (0, 1, None),
    ],
)
def test_the_sentiment_strategy_follows_what_the_model_says(sentiment: float, confidence: float, view: Any) -> None:
    """As strong as sentiment times confidence, and not below its least strength."""
    state, agent = MemoryState(), deployed([NewsSentiment()], Asker("alpha", prompts(Settings(_env_file=None))))
    run(agent, [bar(START)], state)
    (request,) = run(agent, [news()], state)
    assert isinstance(request, AiRequest)
    assert (request.prompt, request.request_type) == ("news-sentiment@1", "market_sentiment")
    said = {"sentiment": sentiment, "confidence": confidence, "reason": "Rates\nstay."}
    sent = run(agent, [response(request, json=json.dumps(said))], state)
    assert [(signal.direction, signal.strength) for signal in of(sent, Signal)] == ([view] if view else [])
    assert not of(sent, Alert)
    if view:
        assert of(sent, Signal)[0].reason.endswith("Rates stay.")


def test_a_status_that_is_not_known_is_poison() -> None:
    """Nobody guesses whether it is an answer."""
    (request,) = of(run(asking(), [closed(0)]), AiRequest)
    with pytest.raises(UnknownSymbol, match="status"):
        run(asking(), [response(request, status=UNKNOWN)])


def following(second: int) -> int:
    """Return what a bar that closes at this second promises: nothing before the next second."""
    return START + (second + 1) * SECOND - 1


@given(quote_streams(), st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["news", "answer", "failure"]))))
def test_what_is_decided_without_a_bar_has_the_time_of_the_next_possible_bar(
    stream: list[Any], others: list[tuple[int, str]]
) -> None:
    """News, answers and questions without one, at any place among bars and heartbeats: none breaks a promise."""
    state, told, asked = MemoryState(), dict[Any, int](), list[AiRequest]()
    ended = next((at for at, event in enumerate(stream) if getattr(event, "closing", False)), len(stream))
    made = [one for one in result(bars(), ingested(stream[:ended]))[0] if not isinstance(one, Tick)]
    for place, event in enumerate(made):
        given_ = [event, *(_other(kind, asked, place) for at, kind in others if at == place)]
        for sent in run(both(), [one for one in given_ if one is not None], state):
            if isinstance(sent, Heartbeat):
                told[sent.symbol, sent.venue] = sent.ts_event
            elif isinstance(sent, Signal):
                assert sent.ts_event > told.get((sent.symbol, sent.venue), -1)
                assert (sent.ts_event - GRACE_US) % SECOND == 0
            elif isinstance(sent, AiRequest):
                asked.append(sent)


def _other(kind: str, asked: list[AiRequest], place: int) -> Event | None:
    if kind == "news":
        return news(number=place, body="it says why")
    status = "ANSWERED" if kind == "answer" else "FAILED"
    return response(asked[-1], status=status) if asked else None


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Return bars and heartbeats of two instruments, and responses to what they asked: early, late, twice or never."""
    state, stream = MemoryState(), list[Event]()
    asked, now = list[AiRequest](), dict.fromkeys(("EURUSD", "XAUUSD"), 0)
    for _ in range(draw(st.integers(0, 25))):
        symbol = draw(st.sampled_from(sorted(now)))
        kind = draw(st.sampled_from(["bar", "bar", "news", "heartbeat", "response", "response"]))
        if kind == "response" and asked:
            to = draw(st.sampled_from(asked))
            status = draw(st.sampled_from(["ANSWERED", "ANSWERED", "FAILED"]))
            event: Event = response(to, draw(st.sampled_from([0.0, 1.0, 2.9, 3.1])), status=status)
        elif kind == "news":
            event = news(symbol, len(stream))
        else:
            now[symbol] += draw(st.sampled_from([1, 1, 1, 4]))
            event = (
                closed(now[symbol], symbol=symbol, reached_ts=draw(st.sampled_from([0, following(now[symbol])])))
                if kind == "bar"
                else heartbeat(START + now[symbol] * SECOND - 1, symbol=symbol)
            )
        stream.append(event)
        asked += of(run(both(), [event], state), AiRequest)
    return stream


@given(histories(), places)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with answers among bars and heartbeats."""
    assert_law(both, list(rows(stream)), cuts)


@given(histories())
def test_each_question_gets_one_call_and_no_promise_is_broken(stream: list[Event]) -> None:
    """Signals are later than the heartbeats before them; what was asked is answered, ended or open, once."""
    state, told, asked, ended = MemoryState(), dict[str, int](), set[str](), list[str]()
    for event in run(both(), stream, state):
        if isinstance(event, Heartbeat):
            told[event.symbol] = max(event.ts_event, told.get(event.symbol, 0))
        elif isinstance(event, Signal):
            assert event.ts_event > told.get(event.symbol, -1)
            ended.append(event.causation_id)
        elif isinstance(event, AiRequest):
            asked.add(event.event_id)
    kept = [value for value in state.values.values() if isinstance(value, QuestionsState)]
    still = {str(one["request_id"]) for questions in kept for one in questions.open}
    assert len(ended) == len(set(ended))
    assert set(ended) | still == asked
    assert not set(ended) & still
    assert sum(one.asked for one in kept) == len(asked)
    assert sum(one.answered + one.unanswered for one in kept) == len(ended)
