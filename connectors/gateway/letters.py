"""Dead letters for people: counted in groups, and sent back to their agent once somebody has typed its name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.dead_letters import Owner, Plan, Wanted, letters, marks, plan, send, survey, tally
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.consumption import Undecodable
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec

Owners = Callable[[], Sequence[Owner]]
"""Returns the agents, callers and sinks of this installation; the first call takes a second."""
NameOfAgent = Annotated[str, Field(min_length=1, max_length=128)]
log = logging.getLogger(__name__)
AWAY: Final = "try again in some seconds, and see ./dev status"


class Redrive(BaseModel):
    """Which letters to send back. Without `confirm`, nothing is sent, and the answer says what would be."""

    model_config = ConfigDict(extra="forbid")

    agent: NameOfAgent
    error: Annotated[Literal["UNDECODABLE", "POISON"] | None, Field(description="Only letters of this kind.")] = None
    topic: Annotated[str | None, Field(max_length=249, description="Only records of this topic.")] = None
    again: Annotated[bool, Field(description="Also send letters that were sent before.")] = False
    confirm: Annotated[str | None, Field(max_length=128, description="The agent's name once more, to send.")] = None


@dataclass(slots=True)
class Letters:
    """Dead letters of one namespace. For one event loop; one question at a time reads the topics."""

    settings: Settings
    codec: Codec
    owners: Owners
    _one: asyncio.Lock

    @classmethod
    def of(cls, settings: Settings, codec: Codec, owners: Owners) -> Letters:
        """Return them; nothing is asked yet."""
        return cls(settings, codec, owners, asyncio.Lock())

    async def groups(self) -> dict[str, Any]:
        """Return all letters, counted by what they have in common; raises `Problem`."""
        return await self._asked(self._groups)

    async def redrive(self, body: Redrive, who: Who) -> dict[str, Any]:
        """Send letters back to their agent, or say what would be sent; raises `Problem`."""
        if body.confirm is not None and body.confirm != body.agent:
            raise Problem(
                422,
                "NOT_CONFIRMED",
                f"{body.confirm!r} is not the name of the agent",
                f"write {body.agent} to send, or leave `confirm` out to see what would be sent",
                pointer="#/confirm",
            )
        found = await self._asked(lambda: self._redriven(body))
        if body.confirm is not None:
            log.info("user %s has sent %d letters back to %s", who.user_id, found["sent"], body.agent)
        return found

    async def _asked(self, question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        async with self._one:
            try:
                return await asyncio.to_thread(question)
            except (StreamError, RegistryError) as error:
                raise Problem(503, "KAFKA_AWAY", str(error), AWAY, headers={"Retry-After": "3"}) from error

    def _groups(self) -> dict[str, Any]:
        present = partition_counts(self.settings)
        there = [one for one in self.owners() if self.settings.physical(one.letters) in present]
        unreadable: list[Undecodable] = []
        groups = []
        for owner in there:
            read = letters(self.settings, owner, self.codec, unreadable.append)
            found = survey([letter for _, letter in read], {})
            if found.entries and owner.returns is not None:
                found.marks = marks(self.settings, owner, self.codec)
            groups += [{**_group(one), "returns": owner.returns is not None} for one in tally(found)]
        return {"groups": groups, "owners": [one.name for one in there], "unreadable": len(unreadable)}

    def _redriven(self, body: Redrive) -> dict[str, Any]:
        owner = self._owner(body.agent)
        assert owner.returns is not None
        wanted = Wanted(error=body.error, topic=body.topic)
        unreadable: list[Undecodable] = []
        read = letters(self.settings, owner, self.codec, unreadable.append)
        known = marks(self.settings, owner, self.codec)
        chosen = plan(survey((letter for _, letter in read), known, wanted), owner.returns, again=body.again)
        told = {"agent": owner.name, "would_send": len(chosen.send), "left_out": _left_out(chosen)}
        if body.confirm is None:
            return {**told, "sent": 0}
        if not chosen.send:
            detail = f"no letter of {owner.name} can be sent"
            raise Problem(409, "NOTHING_TO_SEND", detail, "leave `confirm` out to see why")
        done = send(self.settings, owner, self.codec, chosen)
        return {**told, "sent": done.sent, "sent_meanwhile": done.meanwhile, "gone": done.gone}

    def _owner(self, name: str) -> Owner:
        known = {one.name: one for one in self.owners()}
        owner = known.get(name)
        if owner is None:
            hint = meant(name, known, "GET /api/v1/letters lists who has letters")
            raise Problem(404, "UNKNOWN_AGENT", f"there is no agent or sink {name}", hint, pointer="#/agent")
        if owner.returns is None:
            raise Problem(
                409,
                "NO_WAY_BACK",
                f"{name} writes to a store, and its letters cannot be sent back",
                "docs/dead-letters.md says what to do with letters of sinks",
                pointer="#/agent",
            )
        return owner


def _group(of: Any) -> dict[str, Any]:
    return {
        "agent": of.agent,
        "error": of.error,
        "topic": of.topic,
        "attempt": of.attempt,
        "reason": of.reason,
        "letters": of.letters,
        "waiting": of.waiting,
        "redriven": of.redriven,
        "oldest": time_to_json(of.oldest),
        "newest": time_to_json(of.newest),
    }


def _left_out(chosen: Plan) -> list[dict[str, Any]]:
    """Return how many letters stay, and why."""
    reasons = (
        (chosen.redriven, "were sent before"),
        (chosen.failed_again, "failed again: a later letter stands for each"),
        (chosen.cut, "do not hold the whole record, which was too large"),
        (chosen.unread, "are of topics or partitions that the agent does not read"),
    )
    return [{"count": count, "why": why} for count, why in reasons if count]
