"""The emergency stop: the kill switch of a tenant, of one of its accounts or of all, as `./dev halt` writes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.cluster.kept import KeptAway, on_postgres
from tradewind.connectors.cluster.switch_store import Switches, find_switches, keep_published
from tradewind.connectors.cluster.switches import Whose, named
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.commands.asked import Answer
from tradewind.connectors.gateway.commands.audit import changed
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Made
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.connectors.tenancy.reading import accounts
from tradewind.schemas.codec import Codec
from tradewind.schemas.ranges import NAME_CHARACTERS
from tradewind.schemas.risk import KillSwitch
from tradewind.topics import AUDIT, KILL_SWITCHES

EVERYONE: Final = "*"
"""How an operator names all tenants."""
REASON_CHARACTERS: Final = 500
"""Each denial and each cancel carries the reason."""
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
log = logging.getLogger(__name__)


class Stop(BaseModel):
    """Whose trading to stop, or to allow again."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[Name | None, Field(description="For operators: the tenant, or * for every tenant.")] = None
    account: Annotated[Name | None, Field(description="Only this account.")] = None
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS, description="Denials and cancels say it.")]
    lift: Annotated[bool, Field(description="Allow trading again.")] = False


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """Decides on stops; each call reads the kill switches as they are. For any thread."""

    accounts: Callable[[], Mapping[str, Sequence[str]]]
    """Returns the accounts of each tenant."""
    switches: Callable[[], Switches]
    is_of: Callable[[str, str], bool]
    """Returns whether a user of a tenant gave a command: takes its id, and the tenant."""
    keep: Callable[[KillSwitch], object]
    """Keeps a published switch in PostgreSQL."""

    @classmethod
    def on(cls, settings: Settings, codec: Codec) -> EmergencyStop:
        """Return one that reads Kafka and PostgreSQL."""
        return cls(
            accounts=lambda: accounts(settings),
            switches=lambda: find_switches(settings, codec),
            is_of=lambda command_id, tenant_id: _is_of(settings, command_id, tenant_id),
            keep=lambda switch: keep_published(settings, switch),
        )

    def decide(self, body: Stop, begun: Begun) -> Made:
        """Return the switch and its audit event. Raises `Problem` for a refusal; `StreamError` and `KeptAway`."""
        who = begun.asked.caller.who
        tenant = _tenant(body, who)
        whose: Whose = (tenant, body.account)
        self._require_known(whose, operator=who.tenant_id is None)
        found = self.switches()
        switch = KillSwitch(
            event_id=begun.asked.id,
            tenant_id=tenant,
            ts_event=begun.at_us,
            ts_ingest=begun.at_us,
            correlation_id=begun.asked.id,
            causation_id=begun.asked.id,
            account_id=body.account,
            engaged=not body.lift,
            reason=body.reason,
        )
        answer = Answer(200, _told(switch))
        if _is_written(found, switch):
            return Made(answer, after=lambda: self._keep(switch))
        before = found.held.get(whose)
        if body.lift:
            self._require_liftable(whose, before, who)
        audit = changed(
            begun.asked.caller,
            begun.asked.id,
            begun.at_us,
            tenant_id=tenant,
            subject=named(whose),
            detail=f"{'lifted' if body.lift else 'stopped'}: {body.reason}",
            before=None if before is None else _told(before),
            after=_told(switch),
        )
        return Made(answer, ((KILL_SWITCHES, switch), (AUDIT, audit)), lambda: self._keep(switch))

    def _require_known(self, whose: Whose, *, operator: bool) -> None:
        tenant, account = whose
        if tenant is None and account is None:
            return
        known = self.accounts()
        if tenant is not None and tenant not in known:
            remedy = meant(tenant, known if operator else (), "./dev tenants list shows them")
            raise Problem(404, "UNKNOWN_TENANT", f"there is no tenant {tenant}", remedy, pointer="#/tenant")
        if account is None:
            return
        if tenant is None:
            raise Problem(
                422,
                "INVALID",
                "an account belongs to one tenant",
                "name the tenant, or leave `account` out",
                pointer="#/account",
            )
        if account not in known[tenant]:
            remedy = meant(account, known[tenant], f"the accounts are {', '.join(known[tenant])}")
            raise Problem(404, "UNKNOWN_ACCOUNT", f"{tenant} has no account {account}", remedy, pointer="#/account")

    def _require_liftable(self, whose: Whose, before: KillSwitch | None, who: Who) -> None:
        """Raise `Problem` where there is nothing to lift, or where somebody of the platform has stopped a tenant."""
        if before is None or not before.engaged:
            raise Problem(
                409,
                "NOT_STOPPED",
                f"{named(whose)} is not stopped by itself",
                "lift the stop that holds: of the account, of the tenant or of every tenant",
            )
        if who.tenant_id is not None and not self.is_of(before.event_id, who.tenant_id):
            raise Problem(
                403,
                "STOPPED_BY_PLATFORM",
                f"an operator has stopped {named(whose)}: {before.reason}",
                "ask an operator to lift it",
            )

    def _keep(self, switch: KillSwitch) -> None:
        """Keep the switch in PostgreSQL as well, in case Kafka loses it."""
        try:
            self.keep(switch)
        except (KeptAway, StreamError, RegistryError) as error:
            log.warning("only Kafka has kill switch %s until the sink writes it: %s", switch.event_id, error)


def _is_of(settings: Settings, command_id: str, tenant_id: str) -> bool:
    """Return whether a user of a tenant gave a command, whose key is kept with the tenant. Raises `KeptAway`."""

    async def work(connection: Connection) -> bool:
        statement = "SELECT EXISTS (SELECT FROM commands WHERE command_id = $1 AND tenant_id = $2)"
        return bool(await connection.fetchval(statement, command_id, tenant_id))

    return on_postgres(settings, work, "commands", absent=False)


def _tenant(body: Stop, who: Who) -> str | None:
    """Return the tenant that a command is for; None for every tenant. Raises `Problem`."""
    if who.tenant_id is None:
        if body.tenant is None:
            raise Problem(
                422,
                "INVALID",
                "an operator names the tenant",
                f"give a tenant, or {EVERYONE} for every tenant",
                pointer="#/tenant",
            )
        return None if body.tenant == EVERYONE else body.tenant
    if body.tenant not in (None, who.tenant_id):
        raise Problem(
            404, "UNKNOWN_TENANT", f"there is no tenant {body.tenant}", "leave `tenant` out", pointer="#/tenant"
        )
    return who.tenant_id


def _is_written(found: Switches, switch: KillSwitch) -> bool:
    """Return whether an earlier attempt has written the command; a transaction reaches all partitions or none."""
    return any(
        command.event_id == switch.event_id
        for commands in found.topic.commands.values()
        for command in commands.values()
    )


def _told(switch: KillSwitch) -> dict[str, Any]:
    """Return a switch as answers and audit events have it."""
    return {
        "id": switch.event_id,
        "tenant": switch.tenant_id,
        "account": switch.account_id,
        "stopped": switch.engaged,
        "reason": switch.reason,
        "at": time_to_json(switch.ts_event),
    }
