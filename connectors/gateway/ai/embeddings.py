"""Embeddings in the form of OpenAI's API."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tradewind.connectors.ai.in_force import InForce
from tradewind.connectors.gateway.ai.chat import Sender, ours_of, shared, usage_of
from tradewind.connectors.gateway.ai.forms import Embeddings
from tradewind.schemas.ai import AiRequest, AiResponse

FLOAT_BYTES = 4


def embeddings_request(asked: Embeddings, sender: Sender, known: InForce) -> AiRequest:
    """Return it as a request of ours."""
    return AiRequest(
        kind="EMBEDDING",
        messages=(),
        inputs=(asked.input,) if isinstance(asked.input, str) else tuple(asked.input),
        tools=(),
        max_tokens=1,
        stop=(),
        stream="NONE",
        **shared(asked, sender, known),
    )


def embeddings_of(response: AiResponse, asked: Embeddings) -> dict[str, Any]:
    """Return the vectors: numbers, or float32 in little endian as base64."""
    usage = usage_of(response)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": at,
                "embedding": base64.b64encode(vector).decode()
                if asked.encoding_format == "base64"
                else _numbers(vector),
            }
            for at, vector in enumerate(response.embeddings)
        ],
        "model": f"{response.provider}/{response.model}",
        "usage": {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["total_tokens"]},
        "tradewind": ours_of(response),
    }


def _numbers(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // FLOAT_BYTES}f", vector))


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()
