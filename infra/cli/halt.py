"""`tradewind halt`: the kill switch of a tenant or of one of its accounts."""

from __future__ import annotations

import time

import click


@click.command()
@click.argument("tenant")
@click.option("--account", help="Only this account.  [default: all of the tenant's]")
@click.option("--reason", default="by hand", show_default=True, help="Why, in words: every denial carries it.")
@click.option("--lift", is_flag=True, help="Let the tenant trade again.")
def halt(tenant: str, account: str | None, reason: str, *, lift: bool) -> None:
    """Deny every order request of TENANT from now on, or let it trade again."""
    from tradewind.connectors.kafka import publish  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.processors.identity import derive_id  # noqa: PLC0415
    from tradewind.schemas.risk import KillSwitch  # noqa: PLC0415

    settings = Settings()
    known = {each.tenant_id: each.accounts for each in settings.tenants}
    if tenant not in known:
        raise click.UsageError(f"there is no tenant {tenant!r}; tenants are: {', '.join(known)}")
    if account is not None and account not in known[tenant]:
        raise click.UsageError(f"{tenant} has no account {account!r}; its accounts are: {', '.join(known[tenant])}")
    now_us = time.time_ns() // 1000
    event_id = derive_id("KillSwitch", tenant, account or "*", now_us)
    switch = KillSwitch(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account,
        engaged=not lift,
        reason=reason,
    )
    publish("risk.kill_switches", [switch], settings)
    whose = f"{tenant}/{account}" if account else tenant
    click.echo(f"{whose} may trade again" if lift else f"{whose} is halted: every request is denied")
