"""The provider `paper`: local and deterministic. The same request to the same model has the same answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import count
from math import ceil, floor
from struct import pack
from typing import Any

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall

TEXT = (
    "the market price rises falls holds while volume spread risk trend support resistance momentum stays high low calm "
    "wide narrow above below its average and buyers sellers wait for data"
)
WORDS = tuple(TEXT.split())
LEAST_WORDS, MORE_WORDS = 8, 25
DIMENSIONS = 16
"""Of an embedding: enough to compare two."""
BYTES_PER_TOKEN = 4
WORD_S = 0.02
"""Between two words of a stream: slow enough to be seen, and an answer of 32 words takes less than a second."""
DEEPEST = 16
"""Levels of a JSON schema that are followed; a schema may refer to itself."""


class Paper:
    """An adapter without a provider."""

    async def open(self) -> None:
        """Have nothing to prepare."""

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:  # noqa: ARG002 - it needs none
        """Return the answer that follows from the request and the model alone."""
        sending.sent = True
        body = json.loads(call.body)
        numbers = _numbers(f"{call.model}\x1f{call.body}")
        tokens = -(-len(call.body.encode()) // BYTES_PER_TOKEN)
        if call.kind == "EMBEDDING":
            vectors = tuple(_vector(call.model, text) for text in body["inputs"])
            return Answer("OK", embeddings=vectors, finish="STOP", tokens=Tokens(input=tokens), model=call.model)
        if (schema := body.get("json_schema")) is not None:
            words = json.dumps(example(schema, numbers)).split(" ")
        else:
            words = _sentence(numbers)
        whole = len(words) <= call.max_tokens
        if call.stream != "NONE":
            await _tell(words[: call.max_tokens], sending)
        return Answer(
            "OK",
            text=" ".join(words[: call.max_tokens]),
            finish="STOP" if whole else "LENGTH",
            tokens=Tokens(input=tokens, output=min(len(words), call.max_tokens)),
            model=call.model,
            first_token_us=0,
        )

    async def close(self) -> None:
        """Have nothing to close."""


async def _tell(words: list[str], sending: Sending) -> None:
    """Give the words one after the other, as a model would."""
    for at, word in enumerate(words):
        if at:
            await asyncio.sleep(WORD_S)
        sending.text(f" {word}" if at else word)


def _numbers(seed: str) -> Iterator[int]:
    """Yield numbers below 2^32 that follow from a text."""
    for block in count():
        digest = blake2b(f"{block}\x1f{seed}".encode()).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4))


def _sentence(numbers: Iterator[int]) -> list[str]:
    length = LEAST_WORDS + next(numbers) % MORE_WORDS
    return [WORDS[next(numbers) % len(WORDS)] for _ in range(length)]


def _vector(model: str, text: str) -> bytes:
    numbers = _numbers(f"{model}\x1f{text}")
    parts = [next(numbers) / 2**31 - 1 for _ in range(DIMENSIONS)]
    length = sum(part * part for part in parts) ** 0.5
    return pack(f"<{DIMENSIONS}f", *(part / length for part in parts))


def example(schema: Any, numbers: Iterator[int], depth: int = 0, root: Mapping[str, Any] | None = None) -> Any:
    """Return a value that fits a JSON schema: types, enums, properties, references, and bounds of numbers and lengths.

    Of alternatives it takes one, and of what must hold together (`allOf`, `not`) it knows nothing.
    """
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return WORDS[next(numbers) % len(WORDS)]
    root = schema if root is None else root
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return choices[next(numbers) % len(choices)]
    if (name := schema.get("$ref")) is not None:
        return example(_referred(root, str(name)), numbers, depth + 1, root)
    if ways := schema.get("anyOf") or schema.get("oneOf"):
        return example(ways[next(numbers) % len(ways)], numbers, depth + 1, root)
    return _of_type(schema, numbers, depth, root)


def _of_type(schema: Mapping[str, Any], numbers: Iterator[int], depth: int, root: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            parts = schema.get("properties", {})
            return {name: example(part, numbers, depth + 1, root) for name, part in parts.items()}
        case "array":
            least = max(1, schema.get("minItems", 1))
            return [example(schema.get("items", {}), numbers, depth + 1, root) for _ in range(least)]
        case "number" | "integer":
            return _number(schema, next(numbers) % 101, whole=kind == "integer")
        case "boolean":
            return bool(next(numbers) % 2)
        case "null":
            return None
    return _text(schema, numbers)


def _referred(root: Mapping[str, Any], name: str) -> Any:
    found: Any = root
    for part in name.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found


def _number(schema: Mapping[str, Any], share: int, *, whole: bool) -> float:
    """Return a number within the bounds, `share` hundredths of the way from the least to the largest."""
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    low = least if least is not None else 0 if most is None else most - 1
    high = most if most is not None else low + 1
    open_low, open_high = "exclusiveMinimum" in schema, "exclusiveMaximum" in schema
    if whole:
        first, last = ceil(low) + (open_low and ceil(low) == low), floor(high) - (open_high and floor(high) == high)
        return first + (last - first) * share // 100
    step = (1 + share * 98 / 100) / 100 if open_low or open_high else share / 100
    return float(low + (high - low) * step)


def _text(schema: Mapping[str, Any], numbers: Iterator[int]) -> str:
    words = WORDS[next(numbers) % len(WORDS)]
    while len(words) < schema.get("minLength", 0):
        words = f"{words} {WORDS[next(numbers) % len(WORDS)]}"
    return words[: schema.get("maxLength", len(words))]
