"""`tradewind users`: who may sign in at the gateway, and what they may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from tradewind.connectors.gateway.auth.machine_keys import MOST_DAYS
from tradewind.connectors.gateway.auth.roles import ROLES, Role
from tradewind.infra.cli.output import say_json

if TYPE_CHECKING:
    from tradewind.connectors.gateway.auth.audits import Actor
    from tradewind.connectors.gateway.auth.people import People
    from tradewind.connectors.gateway.auth.store import Store
    from tradewind.connectors.settings import Settings

Found = TypeVar("Found")
NAME = click.argument("name")


@click.group()
def users() -> None:
    """Create users of the gateway, change what they may, and make links by which they sign in."""


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_users(*, as_json: bool) -> None:
    """List users: name, role, tenant, and how many sessions they have."""
    found = _changed(lambda people, _: people.users(None))
    if as_json:
        for one in found:
            say_json(one)
        return
    for one in found:
        whose = one["tenant_id"] or "all tenants"
        state = "disabled" if one["disabled"] else f"{one['sessions']} sessions"
        click.echo(f"{one['name']:<20} {one['role']:<9} {whose:<20} {state}")


@users.command()
@NAME
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--tenant", help="The user's tenant. Operators have none.")
def add(name: str, *, role: str, tenant: str | None) -> None:
    """Create a user, and print a link by which the user signs in."""
    _refuse_mismatch(role, tenant)
    click.echo(_address(_changed(lambda people, actor: people.add(actor, name, role, tenant))))


@users.command()
@NAME
@click.argument("new", type=click.Choice(ROLES))
def role(name: str, new: str) -> None:
    """Give a user another role. It holds from the user's next access token on, in ten minutes at the most."""
    _changed(lambda people, actor: people.set_role(actor, name, new, None))
    click.echo(f"{name} is {new}")


@users.command()
@NAME
def disable(name: str) -> None:
    """End a user's sessions, and let the user sign in no more."""
    ended = _changed(lambda people, actor: people.disable(actor, name, None))
    click.echo(f"{name} is disabled; {ended} sessions have ended")


@users.command()
@NAME
def reset(name: str) -> None:
    """Take a user's password and second factor, end the sessions, and print a link by which the user begins anew."""
    click.echo(_address(_changed(lambda people, actor: people.reset(actor, name, None))))


@users.command()
@click.argument("name", default="operator")
def link(name: str) -> None:
    """Print a link that signs in a user once, within an hour. NAME defaults to operator, who may do everything."""
    click.echo(_address(_changed(lambda people, actor: people.link(actor, name))))


@users.command()
@NAME
@click.option("--role", type=click.Choice(ROLES), help="What the key may do: the user's role, or a lesser one.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=90, show_default=True, help="How long it is good.")
@click.option("--label", default="", help="What it is for.")
def key(name: str, *, role: Role | None, days: int, label: str) -> None:
    """Print a key by which a program acts for a user, as an access token. It is told this once."""
    click.echo(_done(lambda store: store.add_key(name, role, days, label)).text)


@users.command()
@click.option("--tenant", help="Only keys of this tenant.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def keys(*, tenant: str | None, as_json: bool) -> None:
    """List keys of programs: id, user, role, until when, and what each is for."""
    for one in _done(lambda store: store.keys(tenant)):
        if as_json:
            say_json(one)
            continue
        whose = one["tenant_id"] or "all tenants"
        until = f"until {one['expires_at'][:10]}" if one["lives"] else "ended"
        click.echo(f"{one['key_id']} {one['user_name']:<20} {one['role']:<9} {whose:<20} {until:<16} {one['label']}")


@users.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End a key of a program within a second."""
    _done(lambda store: store.revoke_key(key_id))
    click.echo(f"{key_id} has ended")


def _address(code: str) -> str:
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.processes.gateway import link_to, url_of  # noqa: PLC0415

    return link_to(url_of(Settings()), code)


def _refuse_mismatch(role: str, tenant: str | None) -> None:
    if (role == "operator") != (tenant is None):
        raise click.UsageError(
            "an operator sees all tenants: leave --tenant out"
            if tenant is not None
            else f"a user with the role {role} belongs to a tenant: name it by --tenant"
        )


def _changed(work: Callable[[People, Actor], Awaitable[Found]]) -> Found:
    """Read or change users, as whoever is at this terminal."""
    from tradewind.connectors.gateway.auth.audits import TERMINAL  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.gateway.auth.people import People  # noqa: PLC0415

    return _done(lambda store: work(People(store), TERMINAL))


def _done(work: Callable[[Store], Awaitable[Found]]) -> Found:
    """Do something with the store; what it refuses is said with what to do."""
    from tradewind.connectors.gateway.auth.store import Store  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.gateway.problems import Problem  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    async def run(settings: Settings) -> Found:
        store = Store(settings)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run(Settings()))
    except Problem as problem:
        raise click.ClickException(f"{problem.detail}: {problem.remedy}") from problem
