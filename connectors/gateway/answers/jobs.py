"""What routes answer whose commands take seconds: the balance, and the check of journals."""

from __future__ import annotations

import time
from difflib import get_close_matches
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.answers.basics import gateway_of
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.jobs import Job, Jobs

BALANCE: Final = "balance"
FRESH_S: Final = 30.0
"""A balance that ended within this time is not begun again."""


class Verify(BaseModel):
    """Which agent's journal to repeat."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"agent": "risk"}})

    agent: str = Field(min_length=1, max_length=64)


async def get_streams_balance(request: Request) -> dict[str, Any]:
    """Return the last balance, and begin another one if it is older than 30 s."""
    jobs = gateway_of(request).jobs
    _, ended = jobs.of(BALANCE)
    if ended is None or time.time() - (ended.ended_s or 0.0) > FRESH_S:
        jobs.begin(BALANCE, ["balance", "--json"])
    return _told(jobs, BALANCE)


async def get_streams_verify(request: Request) -> dict[str, Any]:
    """Return the last check of each agent's journal, and those that run."""
    gateway = gateway_of(request)
    return {"agents": [{"agent": agent, **_told(gateway.jobs, _verify(agent))} for agent in _agents(gateway)]}


async def post_streams_verify(body: Verify, request: Request) -> dict[str, Any]:
    """Repeat an agent's journal in a process of its own and compare; `GET streams/verify` has the result."""
    gateway = gateway_of(request)
    agents = _agents(gateway)
    if body.agent not in agents:
        near = get_close_matches(body.agent, agents, 3)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"agents are {', '.join(agents)}"
        raise Problem(422, "UNKNOWN_AGENT", f"there is no agent {body.agent!r}", remedy, pointer="#/agent")
    name = _verify(body.agent)
    gateway.jobs.begin(name, ["replay", "--verify", body.agent, "--json"], success=(0, 1))
    return {"agent": body.agent, **_told(gateway.jobs, name)}


def _agents(gateway: Gateway) -> list[str]:
    """Return the agents, which alone have journals, in the order of the flow."""
    return [name for name in gateway.declared.order if name not in gateway.declared.without_journal]


def _verify(agent: str) -> str:
    return f"verify {agent}"


def _told(jobs: Jobs, name: str) -> dict[str, Any]:
    running, ended = jobs.of(name)
    return {"running": _json(running), "last": _json(ended)}


def _json(job: Job | None) -> dict[str, Any] | None:
    return None if job is None else job.to_json()
