"""What the routes under `streams` answer."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query as QueryOf
from fastapi import Request, Response

from tradewind.connectors.gateway.answers.basics import gateway_of, mark_stale, not_yet, who_of
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.messages import Query
from tradewind.connectors.gateway.views.flow import STALE_S
from tradewind.connectors.gateway.views.groups import GroupsSeen, groups_json
from tradewind.connectors.gateway.views.inventory import EVERY_S, Inventory
from tradewind.connectors.gateway.views.topics import TopicsSeen, topics_json
from tradewind.connectors.gateway.views.transactions import transactions_json


async def get_streams_flow(request: Request, response: Response) -> dict[str, Any]:
    """Return the picture of who writes and reads which topic, and what flows now."""
    gateway = gateway_of(request)
    seen = gateway.flow.last
    if seen is not None:
        mark_stale(response, seen.at_s, STALE_S)
    trouble = gateway.flow.trouble
    return {"picture": gateway.picture, "now": None if seen is None else seen.to_json(), "trouble": trouble}


async def get_streams_topics(request: Request, response: Response) -> dict[str, Any]:
    """Return what each topic carries, holds and keeps, and who reads it."""
    gateway = gateway_of(request)
    inventory = _inventory(gateway, response)
    declared, namespace = gateway.declared, gateway.settings.namespace
    topics = {topic.name: topic for topic in declared.topics}
    seen = TopicsSeen(topics, declared.left_out, inventory, gateway.flow.last)
    found = await asyncio.to_thread(topics_json, seen, namespace)
    return {"as_of": round(inventory.at_s, 3), "trouble": gateway.inventory.trouble, "topics": found}


async def get_streams_groups(request: Request, response: Response) -> dict[str, Any]:
    """Return how far each consumer group is behind, whether that gets better, and who its members are."""
    gateway = gateway_of(request)
    seen = gateway.flow.last
    if seen is None:
        raise not_yet(gateway.flow.trouble or "the groups have not been asked yet")
    mark_stale(response, seen.at_s, STALE_S)
    known = gateway.declared.known
    declared = {group: topics for group, topics in known.inputs.items() if group not in known.unused}
    all_seen = GroupsSeen(declared, seen, gateway.flow.windows, gateway.inventory.last)
    found = await asyncio.to_thread(groups_json, all_seen, gateway.settings.namespace)
    return {"as_of": round(seen.at_s, 3), "trouble": gateway.flow.trouble, "groups": found}


async def get_streams_transactions(request: Request, response: Response) -> dict[str, Any]:
    """Return the open transactions, hanging ones first, with the commands that end them."""
    gateway = gateway_of(request)
    inventory = _inventory(gateway, response)
    found = transactions_json(inventory, gateway.flow.last, gateway.settings.namespace)
    return {"as_of": round(inventory.at_s, 3), "trouble": gateway.inventory.trouble, "transactions": found}


async def get_streams_messages(request: Request, query: Annotated[Query, QueryOf()]) -> dict[str, Any]:
    """Return a step of a search: records of a topic, newest first. `next` goes on, `head` shows what came since."""
    gateway = gateway_of(request)
    return await gateway.messages.step(query, who_of(request), gateway.cursors)


def _inventory(gateway: Gateway, response: Response) -> Inventory:
    seen = gateway.inventory.last
    if seen is None:
        raise not_yet(gateway.inventory.trouble or "the topics have not been asked yet")
    mark_stale(response, seen.at_s, EVERY_S + STALE_S)
    return seen
