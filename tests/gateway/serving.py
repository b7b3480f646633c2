"""A gateway on a real port, without Kafka and PostgreSQL: its views are put in by hand, its users are in memory."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gateway.answering import model_asker
from gateway.commanding import Stores, WrittenInMemory, commands_in_memory, stop_in_memory
from gateway.people import PeopleInMemory
from runtime.records import CODEC

from tradewind.connectors.billing.door import Door
from tradewind.connectors.billing.tally import Tally
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.app import make_app
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.roles import Role, Who
from tradewind.connectors.gateway.auth.second_factor import RECOVERY_CODES, Enrolment, enrolment, recovery_code
from tradewind.connectors.gateway.auth.store import Session, User
from tradewind.connectors.gateway.auth.tokens import Tokens
from tradewind.connectors.gateway.commands.decided import Decided
from tradewind.connectors.gateway.cursors import Cursors
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.http import BoundedHttp
from tradewind.connectors.gateway.letters import Letters
from tradewind.connectors.gateway.limits import USERS, Limits
from tradewind.connectors.gateway.messages import Messages
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.server import listen, server_of
from tradewind.connectors.gateway.stream.connection import AUTH_S, Connections
from tradewind.connectors.gateway.stream.events import Events
from tradewind.connectors.gateway.stream.feed import EVENT_CHANNELS, EventChannel, Feed, Filter, Stood
from tradewind.connectors.gateway.stream.hub import Hub, Key
from tradewind.connectors.gateway.traces import Traces
from tradewind.connectors.gateway.views.jobs import Jobs
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.settings import KafkaSettings, PostgresSettings, Settings
from tradewind.infra.cli.processes.gateway import declared_of
from tradewind.processors.gateway.buckets import Policy
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.schemas.billing import Usage

HOSTS = ("127.0.0.1", "localhost")
START_S = 20.0
CODES = ("123456", "aaaa-bbbb-cccc-dddd")
UNLIMITED = {kind: Policy(kind, 100_000, 100_000) for kind in USERS}
SECRET = bytes(range(32))
NO_KAFKA = Settings(_env_file=None, kafka=KafkaSettings(bootstrap="127.0.0.1:1", answer_s=0.2))


class Quiet:
    """Stands for a view's thread that has seen what a test gives it."""

    name = "quiet view"
    trouble: str | None = None

    def __init__(self, last: Any = None) -> None:
        self.last = last

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Users:
    """Sessions in memory, as the store keeps them."""

    links: dict[str, User] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    enrolled: set[str] = field(default_factory=set)
    """Ids of users with a second factor."""

    async def refresh(self, token: bytes, successor: Callable[[bytes], bytes], *, remote: bool = False) -> Session:
        """Go on with a session."""
        session = self.sessions.pop(token, None)
        if session is None:
            raise Problem(401, "SIGNED_OUT", "no session", "sign in")
        user = replace(session.user, has_second_factor=session.user.user_id in self.enrolled)
        return self._keep(Session(session.session_id, user, successor(token), session.remote))

    async def end(self, session_id: str, why: str) -> None:
        """End a session."""
        self.ended.append(session_id)

    async def ended_within(self, seconds: float) -> list[str]:
        """Return the sessions that have ended."""
        return self.ended

    async def name_of(self, user_id: str) -> str:
        """Return the name of a user."""
        return "ada" if user_id == "u" else user_id

    async def keys(self, tenant_id: str | None) -> list[Any]:
        """Return no key."""
        return []

    async def send_audits(self, write: Any) -> int:
        """Send no event."""
        return 0

    async def living_keys(self) -> list[Any]:
        """Return no key."""
        return []

    async def close(self) -> None:
        """Do nothing."""

    def _keep(self, session: Session) -> Session:
        self.sessions[session.refresh] = session
        return session

    def begun(self, user: User, origin: Origin) -> Session:
        """Begin a session of a user."""
        return self._keep(Session(secrets.token_hex(4), user, secrets.token_bytes(32), origin.remote))


@dataclass
class Logins:
    """Signs users in, by the links and passwords that a test has given them."""

    users: Users
    passwords: dict[str, str] = field(default_factory=dict)
    """Name -> password."""
    set: list[str] = field(default_factory=list)
    """Passwords that were set."""

    async def by_link(self, link: str, code: str | None, origin: Origin) -> Session:
        """Begin a session by a link."""
        user = self.users.links.pop(link, None)
        if user is None:
            raise Problem(401, "LINK_INVALID", "no such link", "make another by ./dev users link", pointer="#/link")
        return self.users.begun(user, origin)

    async def by_password(self, name: str, password: str, code: str | None, origin: Origin) -> Session:
        """Begin a session by name and password."""
        if self.passwords.get(name) != password:
            raise Problem(401, "WRONG_LOGIN", "no such user, or another password", "correct it")
        user = User(name, name, "viewer", "alpha", has_password=True, has_second_factor=name in self.users.enrolled)
        if user.has_second_factor and code is None:
            raise Problem(401, "CODE_WANTED", "a code is wanted", "send it", pointer="#/code")
        if user.has_second_factor and code not in CODES:
            raise Problem(403, "WRONG_CODE", "this code is another", "wait for the next code", pointer="#/code")
        return self.users.begun(user, origin)

    async def set_password(self, who: Who, old: str | None, new: str, origin: Origin) -> None:
        """Take a password."""
        self.set.append(new)

    async def begin_factor(self, who: Who) -> Enrolment:
        """Begin a second factor, always the same."""
        return enrolment("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", who.user_id)

    async def confirm_factor(self, who: Who, code: str, origin: Origin) -> list[str]:
        """Take a code that is known."""
        if code not in CODES:
            raise Problem(403, "WRONG_CODE", "this code is another", "wait for the next code", pointer="#/code")
        self.users.enrolled.add(who.user_id)
        return [recovery_code() for _ in range(RECOVERY_CODES)]

    async def remove_factor(self, who: Who, code: str, origin: Origin) -> None:
        """Remove a second factor."""
        self.users.enrolled.discard(who.user_id)

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Counted:
    """Takes a door's records."""

    records: list[Usage]
    waiting: int = 0

    def send(self, records: Sequence[Usage]) -> None:
        """Take records."""
        self.records += records

    def tend(self) -> None:
        """Do nothing."""

    def close(self, within_s: float) -> int:
        """Lose nothing."""
        return 0


@dataclass
class Served:
    """A gateway that answers."""

    port: int
    gateway: Gateway
    users: Users
    logins: Logins
    people: PeopleInMemory
    loop: asyncio.AbstractEventLoop
    stores: Stores
    """What commands have written."""
    counted: list[Usage]
    """What its door has sent: all once it has ended."""
    standing: dict[EventChannel, Stood]
    """What PostgreSQL has of the channels of account events."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def token(self, role: Role = "operator", tenant: str | None = None, session: str = "s") -> str:
        """Return an access token."""
        return self.gateway.tokens.issue("u", role, tenant, session)

    def bearer(self, role: Role = "operator", tenant: str | None = None, key: str | None = None) -> dict[str, str]:
        """Return the headers of a request by a role; `key` is that of a command."""
        keyed = {} if key is None else {"Idempotency-Key": key}
        return {"Authorization": f"Bearer {self.token(role, tenant)}", **keyed}

    def put(self, key: Key, data: bytes) -> None:
        """Put a frame into the hub, and wait until it is there."""
        self.run(lambda: self.gateway.hub.put(key, data))

    def run(self, act: Callable[[], None]) -> None:
        """Act on the gateway's loop, and wait until it is done."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (act(), done.set()))
        assert done.wait(START_S)


class HurriedHttp(BoundedHttp):
    """HTTP that waits only so long for a head."""

    head_s = 0.2


@contextmanager
def served(*, hurried: bool = False) -> Iterator[Served]:
    """Serve in a thread until the body ends; `hurried` waits only 0.2 s for heads and for who a client is."""
    stores = Stores()
    users, reads = Users(), Reads(Settings(_env_file=None, postgres=PostgresSettings(url="postgresql://127.0.0.1:1/x")))

    logins, people = Logins(users), PeopleInMemory()
    counted: list[Usage] = []
    standing: dict[EventChannel, Stood] = {}

    async def stood(channel: EventChannel, wanted: Filter) -> Stood | None:
        return standing.get(channel)

    def make() -> Gateway:
        usage = Door(Tally("gateway", "test", clock_us, lambda: time.monotonic_ns() // 1_000), Counted(counted))
        hub, tokens = Hub(), Tokens(SECRET, "tradewind", time.time)
        declared = declared_of(Settings(_env_file=None))
        events = Events({channel: Feed(bytes, kept=100) for channel in EVENT_CHANNELS}, stood, Cursors(SECRET))
        quiet = cast("Any", Quiet)
        return Gateway(
            settings=Settings(_env_file=None),
            tokens=tokens,
            store=cast("Any", users),
            signing_in=cast("Any", logins),
            people=cast("Any", people),
            audits=cast("Any", None),
            hub=hub,
            connections=Connections(
                hub,
                events,
                tokens.verify,
                time.time,
                usage.tally.streaming,
                auth_s=HurriedHttp.head_s if hurried else AUTH_S,
            ),
            declared=declared,
            flow=quiet(),
            inventory=quiet(),
            system=quiet(),
            alerts=quiet(),
            market=(quiet(),),
            events=(),
            picture={"cards": []},
            reads=reads,
            messages=Messages(Settings(_env_file=None), CODEC, declared.known.topics, declared.topics),
            letters=Letters.of(NO_KAFKA, CODEC, tuple),
            cursors=Cursors(SECRET),
            asker=model_asker(),
            commands=commands_in_memory(stores),
            stop=stop_in_memory(stores),
            usage=usage,
            traces=Traces(NO_KAFKA, CODEC, reads),
            instruments=INSTRUMENTS,
            written=cast("Any", WrittenInMemory(stores)),
            decided=Decided(reads),
            jobs=Jobs(lambda _arguments: (sys.executable, "-c", "print('{}')")),
            limits=Limits(None, lambda: time.monotonic_ns() // 1_000, UNLIMITED, UNLIMITED),
        )

    with answering(make, HurriedHttp if hurried else BoundedHttp) as (port, gateway, loop):
        yield Served(port, gateway, users, logins, people, loop, stores, counted, standing)


@contextmanager
def answering(
    make: Callable[[], Gateway], http: type[BoundedHttp] = BoundedHttp
) -> Iterator[tuple[int, Gateway, asyncio.AbstractEventLoop]]:
    """Serve a gateway that is made on the server's loop, in a thread; give its port, itself and the loop."""
    made: list[Gateway] = []
    loops: list[asyncio.AbstractEventLoop] = []

    def build(tell: Callable[[Gateway], None]) -> Any:
        def made_here() -> Gateway:
            gateway = make()
            tell(gateway)
            made.append(gateway)
            loops.append(asyncio.get_running_loop())
            return gateway

        return make_app(made_here, HOSTS)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sock = listen(port)
    server = server_of(build, HOSTS, http)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield port, made[0], loops[0]
    finally:
        server.should_exit = True
        thread.join(START_S)
        sock.close()
