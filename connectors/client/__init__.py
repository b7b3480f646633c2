"""Clients of the gateway: for programs that reach its port alone, and no Kafka."""

from tradewind.connectors.client.asynchronous import AsyncClient
from tradewind.connectors.client.blocking import Client
from tradewind.connectors.client.errors import ClientError, GatewayAway, Refused
from tradewind.connectors.client.models import Filled, Holding, Order, Submitted
from tradewind.connectors.client.stream import StreamEvent

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Filled",
    "GatewayAway",
    "Holding",
    "Order",
    "Refused",
    "StreamEvent",
    "Submitted",
]
