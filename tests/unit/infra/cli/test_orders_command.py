"""Orders by hand from the terminal, through a gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gateway.serving import SECRET, Served, served

from tradewind.infra.cli.books import orders as module
from tradewind.infra.cli.books.orders import KEY
from tradewind.infra.cli.group import tradewind
from tradewind.infra.services.folder import FORMAT, FORMAT_FILE
from tradewind.schemas.execution import CancelOrder, SubmitOrder

TICK = b'{"symbol":"EURUSD","venue":"OANDA","bid":"1.1","ask":"1.1002","ts_event":"2026-01-02T12:00:00.000000Z"}'
BUY = ("submit", "EURUSD", "buy", "1000", "--account", "main", "--wait", "0")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """Serve a gateway on which EURUSD is quoted."""
    with served() as found:
        found.put(("ticks", "EURUSD.OANDA"), TICK)
        yield found


def run(*arguments: str, **environment: str | None) -> Result:
    """Run the command."""
    return CliRunner().invoke(tradewind, ["orders", *arguments], env=environment)


def keyed(gateway: Served, *arguments: str) -> Result:
    """Run the command as a trader of alpha with a key."""
    return run(*arguments, "--url", gateway.url, **{KEY: gateway.token("trader", "alpha")})


def test_an_order_is_submitted_once_for_a_key(gateway: Served) -> None:
    """And its id is said."""
    for _ in range(2):
        done = keyed(gateway, *BUY, "--key", "k1", "--limit", "1.09", "--json")
        assert done.exit_code == 0, done.output
    (order,) = gateway.stores.of(SubmitOrder)
    assert json.loads(done.stdout)["order_id"] == order.order_id
    assert (order.side, order.order_type, str(order.limit_price)) == ("BUY", "LIMIT", "1.09")


def test_whoever_has_the_data_folder_is_an_operator(
    gateway: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And names the tenant; without a gateway in the folder, the command says so."""
    (tmp_path / FORMAT_FILE).write_text(f"{FORMAT}\n")
    environment = {"TRADEWIND_DATA": str(tmp_path), "TRADEWIND_GATEWAY__PORT": str(gateway.port), KEY: None}
    done = run(*BUY, "--tenant", "alpha", **environment)
    assert "no gateway has run on" in done.output
    (tmp_path / "gateway.key").write_bytes(SECRET)
    done = run(*BUY, **environment)
    assert (done.exit_code, "#/tenant" in done.output) == (1, True), done.output
    done = run(*BUY, "--tenant", "alpha", **environment)
    assert done.exit_code == 0, done.output
    assert "is REQUESTED" in done.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((*BUY[:3], "1001", *BUY[4:]), "OFF_STEP (#/quantity)"),
        ((*BUY[:3], "x", *BUY[4:]), "is no decimal number"),
        ((*BUY[:3], "nan", *BUY[4:]), "is not above zero"),
        (("submit", "EURUSE", *BUY[2:]), "UNKNOWN_SYMBOL"),
        (("cancel", "o1", "--wait", "0"), "give the same command again with --key"),
    ],
)
def test_what_is_wrong_is_said_and_exits_with_an_error(
    gateway: Served, arguments: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one: PostgreSQL is away, so that nobody can say."""
    before = len(gateway.stores.events)
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    done = keyed(gateway, *arguments)
    assert done.exit_code in {1, 2}
    assert why in done.output
    assert len(gateway.stores.of(CancelOrder)) == 0
    assert len([event for event in gateway.stores.events[before:] if isinstance(event, SubmitOrder)]) == 0


def test_a_gateway_elsewhere_wants_a_key() -> None:
    """Nobody is an operator there by the data folder of here."""
    done = run(*BUY, "--url", "http://127.0.0.1:1", **{KEY: None})
    assert done.exit_code == 2
    assert "./dev users key" in done.output
