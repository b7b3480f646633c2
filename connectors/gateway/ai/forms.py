"""The bodies of requests, in the form of OpenAI's API."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from tradewind.schemas.ranges import TOKENS_MAX

DEADLINE_MS: Final = 60_000
Tokens: TypeAlias = Annotated[int | None, Field(ge=1, le=TOKENS_MAX)]
Text: TypeAlias = Annotated[str, Field(max_length=512 * 1024)]
RouteName: TypeAlias = Annotated[str | None, Field(max_length=64, description="Names the route: trading_signal.")]


class Part(BaseModel):
    """A part of a request: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class TextPart(Part):
    """Text among images."""

    type: Literal["text"]
    text: Text


class ImageUrl(Part):
    """Where an image is: https, or a data URL."""

    url: Text
    detail: str | None = None


class ImagePart(Part):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Function(Part):
    """What a tool's call says."""

    name: Annotated[str, Field(max_length=256)]
    arguments: Text


class ToolCall(Part):
    """A call of a tool that the model has asked for."""

    id: Annotated[str, Field(max_length=256)]
    type: Literal["function"] = "function"
    function: Function


class ChatMessage(Part):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[TextPart | ImagePart] | None = None
    name: Annotated[str | None, Field(max_length=256)] = None
    tool_call_id: Annotated[str | None, Field(max_length=256)] = None
    tool_calls: Annotated[list[ToolCall] | None, Field(max_length=128)] = None
    refusal: None = None
    annotations: Any = None
    """As answers of some providers have it, and clients send back; it is left out."""


class FunctionTool(Part):
    """A tool that the model may call."""

    name: Annotated[str, Field(max_length=256)]
    description: Text = ""
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    strict: bool | None = None


class Tool(Part):
    """The same, as OpenAI wraps it."""

    type: Literal["function"]
    function: FunctionTool


class NamedFunction(Part):
    """The name of a tool."""

    name: Annotated[str, Field(max_length=256)]


class NamedTool(Part):
    """A tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class SchemaFormat(Part):
    """A JSON Schema with a name."""

    name: str = "answer"
    description: str | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class ResponseFormat(Part):
    """Text, any JSON object, or JSON by a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaFormat | None = None


class StreamOptions(Part):
    """Whether a stream ends with its usage."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Ours(Part):
    """What Tradewind adds, in `extra_body` of OpenAI's clients."""

    request_type: Annotated[
        str | None, Field(max_length=64, description="Names the route, such as trading_signal.")
    ] = None
    cache: Annotated[Literal["off", "exact", "semantic"], Field(description="Which kept answers may be given.")] = "off"
    stream: Annotated[Literal["live", "sure"], Field(description="Tokens at once, or once their attempt is whole.")] = (
        "live"
    )
    deadline_ms: Annotated[int, Field(ge=100, le=600_000, description="How long the answer is of use.")] = DEADLINE_MS
    makes_orders: Annotated[bool, Field(description="Whether orders may follow from the answer.")] = False


class Asked(Part):
    """What chat completions and embeddings share.

    Fields that would change the answer, and that no route honours, are refused. Those that change nothing are left out.
    """

    model: Annotated[
        str,
        Field(min_length=1, max_length=256, description="`PROVIDER/MODEL`, a model's name, or the name of a route."),
    ]
    user: Annotated[str | None, Field(max_length=512, description="Left out.")] = None
    tradewind: Ours = Ours()


class ChatCompletion(Asked):
    """A chat completion."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2_000)]
    max_tokens: Tokens = None
    max_completion_tokens: Tokens = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    stop: Annotated[str, Field(max_length=1_000)] | Annotated[list[str], Field(max_length=4)] | None = None
    tools: Annotated[list[Tool] | None, Field(max_length=128)] = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    frequency_penalty: Annotated[float | None, Field(ge=0, le=0)] = None
    presence_penalty: Annotated[float | None, Field(ge=0, le=0)] = None
    parallel_tool_calls: bool | None = None
    store: Literal[False] | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None


class Embeddings(Asked):
    """Texts whose vectors are asked for."""

    input: Annotated[Text, Field(min_length=1)] | Annotated[list[Text], Field(min_length=1, max_length=2_048)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: None = None
    """No route honours it."""
