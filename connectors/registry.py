"""Register the committed schemas, look schemas up by id, and open the codec that needs both.

Speaks Confluent's API, as Confluent's registry and Apicurio (`/apis/ccompat/v7`) do. Subjects are record names.

RegistryError
├── RegistryUnavailable   no answer, or none that counts, after several attempts: try again later
├── IncompatibleSchema    a schema cannot follow the versions before it: change the schema
└── RegistryRefused       the registry understood and said no: wrong credentials, no schema, read only
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tradewind.connectors.registered_ids import keep_ids, kept_ids
from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.schemas.codec import SCHEMAS, Codec

CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 10.0  # a registry that has just started takes seconds for its first answer
ATTEMPTS: Final = 6
FIRST_PAUSE_S: Final = 0.2  # doubled after each attempt: 6.2 s in all, longer than a registry's restart takes
LONGEST_PAUSE_S: Final = 2.0
PATIENT_ATTEMPTS: Final = 35  # a minute: for workers, which have nothing better to do, such as while a machine starts
AT_ONCE: Final = 4  # subjects registered at the same time: an embedded registry gains nothing from more
MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
SHOWN: Final = 500  # characters of an answer that an error quotes
OTHER_FORMAT: Final = (
    "If you did not change this schema, the registry holds those of another format of Tradewind, such as of a version "
    "whose enums had no UNKNOWN: use another registry and another Kafka, or delete the subjects that begin with "
    "`tradewind.` and the topics of this namespace. If you changed it, see docs/upgrades.md for what may change"
)
"""What to do about a subject with versions that nothing of ours goes with."""
TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


class RegistryError(RuntimeError):
    """The registry did not do what was asked."""


class RegistryUnavailable(RegistryError):
    """The registry cannot be reached or is not well; the same call may succeed later."""


class IncompatibleSchema(RegistryError):
    """The registry holds versions of a subject that are incompatible with the schema."""


class RegistryRefused(RegistryError):
    """The registry will not do this, now or later."""


class UnknownSchema(LookupError):
    """The registry has no schema of an id."""


class SchemaRegistry:
    """A client of one registry. Close it, or use it as a context; may be used by several threads."""

    def __init__(self, settings: Settings, attempts: int = ATTEMPTS, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """Connect to the registry that the settings name; raises `ServiceNotConfigured` where they name none."""
        self._attempts, self._first_pause_s = attempts, first_pause_s
        registry = settings.registry
        if registry.url is None:
            raise ServiceNotConfigured(
                "no schema registry is known: start one with `./dev up`, or set TRADEWIND_REGISTRY__URL"
            )
        password = "" if registry.password is None else registry.password.get_secret_value()
        self._client = httpx.Client(
            base_url=registry.url,
            auth=None if registry.user is None else (registry.user, password),
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={"Accept": f"{MEDIA_TYPE}, application/json"},
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def register(self, schemas: Mapping[str, Sequence[str]] = SCHEMAS) -> dict[str, int]:
        """Register every version of each record, the oldest first, and return the newest's ids by full name.

        What is registered already keeps its id. Raises one of the errors above.
        """
        with ThreadPoolExecutor(AT_ONCE, "registry") as pool:
            return dict(zip(schemas, pool.map(self._register_versions, schemas, schemas.values()), strict=True))

    def _register_versions(self, subject: str, versions: Sequence[str]) -> int:
        return [self._register(subject, text) for text in versions][-1]

    def _register(self, subject: str, text: str) -> int:
        answer = self._call("POST", f"/subjects/{subject}/versions", {"schema": text, "schemaType": "AVRO"})
        if answer.status_code == httpx.codes.CONFLICT:
            raise IncompatibleSchema(
                f"{subject} is incompatible with its versions in the registry: {_said(answer)}. {OTHER_FORMAT}"
            )
        return _whole(_field(_accepted(answer, f"register {subject}"), "id"))

    def check_compatible(self, subject: str, text: str) -> None:
        """Raise `IncompatibleSchema` where a schema could not be registered as the subject's next version.

        What counts is the registry's rule (Tradewind's own has FULL_TRANSITIVE). A subject without versions takes any.
        """
        path = f"/compatibility/subjects/{subject}/versions?verbose=true"
        answer = self._call("POST", path, {"schema": text, "schemaType": "AVRO"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return
        found = _accepted(answer, f"check {subject}")
        if _field(found, "is_compatible") is not True:
            said = found.get("messages") or "no reason given"
            raise IncompatibleSchema(f"{subject} would not go with the versions that the registry has: {said}"[:SHOWN])

    def schema(self, schema_id: int) -> str:
        """Return the JSON text of a schema; raises `UnknownSchema` where the registry has none of this id."""
        answer = self._call("GET", f"/schemas/ids/{schema_id}", None)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UnknownSchema(f"the registry has no schema {schema_id}")
        return str(_field(_accepted(answer, f"look schema {schema_id} up"), "schema"))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """Send a request, several times where that may help: every request of this client can be repeated."""
        pause = self._first_pause_s
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._client.request(
                    method, path, json=body, headers=None if body is None else {"Content-Type": MEDIA_TYPE}
                )
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code not in TRY_AGAIN:
                    return answer
                problem = _said(answer)
            if attempt < self._attempts:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        raise RegistryUnavailable(f"{self._client.base_url}: no answer to {path} in {attempt} attempts: {problem}")


def open_codec(settings: Settings, attempts: int = ATTEMPTS, first_pause_s: float = FIRST_PAUSE_S) -> Codec:
    """Register every committed schema and return the codec that uses their ids; raises `RegistryError`.

    Where an embedded registry has them already, as a file beside it says, their ids are taken from there.
    The codec asks the registry again only for ids of other schemas, once for each.
    """
    ids = kept_ids(settings.registry, SCHEMAS)
    if ids is None:
        with SchemaRegistry(settings, attempts, first_pause_s) as registry:
            ids = registry.register()
        keep_ids(settings.registry, SCHEMAS, ids)

    def resolve(schema_id: int) -> str:
        with SchemaRegistry(settings) as again:
            return again.schema(schema_id)

    return Codec(ids, resolve)


def _accepted(answer: httpx.Response, what: str) -> Mapping[str, Any]:
    if not answer.is_success:
        raise RegistryRefused(f"{answer.request.url}: could not {what}: {_said(answer)}")
    try:
        found = answer.json()
    except ValueError as error:
        raise RegistryRefused(f"{answer.request.url}: not a schema registry: it answered {_said(answer)}") from error
    if not isinstance(found, dict):
        raise RegistryRefused(f"{answer.request.url}: not a schema registry: it answered {_said(answer)}")
    return found


def _field(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise RegistryRefused(f"not a schema registry: its answer has no {name}: {str(found)[:SHOWN]}")
    return found[name]


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise RegistryRefused(f"not a schema registry: {value!r} is no id")
    return value


def _said(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code} {answer.text[:SHOWN]}"
