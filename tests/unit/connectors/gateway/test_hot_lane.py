"""Hot reads are answered with the bytes that the view made, for who may read them, and for symbols that are known."""

from __future__ import annotations

import plain_http
import pytest
from gateway.serving import Served

MARKETS = "/api/v1/markets"


@pytest.fixture(scope="module", autouse=True)
def quoted(gateway: Served) -> None:
    """Quote some instruments, one of them at two venues."""
    for symbol in ("CHFJPY.SIM", "XAUUSD.SIM", "XAUUSD.OTHER"):
        gateway.put(("ticks", symbol), f'{{"symbol":"{symbol}"}}'.encode())
    for interval in (1, 60):
        gateway.put(("bars", f"CHFJPY.SIM:{interval}"), f'{{"interval_s":{interval}}}'.encode())


def test_the_last_tick_and_the_bars_are_told(gateway: Served) -> None:
    """By the whole name of the instrument, or by its symbol where one venue alone has it."""
    for name in ("CHFJPY.SIM", "CHFJPY"):
        assert plain_http.get(f"{gateway.url}{MARKETS}/{name}/tick", headers=gateway.bearer("viewer")).json() == {
            "symbol": "CHFJPY.SIM"
        }
    bars = plain_http.get(f"{gateway.url}{MARKETS}/CHFJPY/bars", headers=gateway.bearer("viewer"))
    assert bars.json() == [{"interval_s": 1}, {"interval_s": 60}]
    assert bars.headers["x-content-type-options"] == "nosniff"
    assert plain_http.get(f"{gateway.url}{MARKETS}/XAUUSD.SIM/bars", headers=gateway.bearer()).json() == []


@pytest.mark.parametrize(
    ("name", "status", "remedy"),
    [
        ("CHFJYP", 404, "did you mean CHFJPY?"),
        ("NOTHING-LIKE-IT", 404, "GET /api/v1/markets/live-data lists what has been quoted"),
        ("XAUUSD", 409, "name one: XAUUSD.OTHER, XAUUSD.SIM"),
    ],
)
def test_a_symbol_that_is_not_one_instrument_is_answered_with_a_way_out(
    gateway: Served, name: str, status: int, remedy: str
) -> None:
    """With a near name, or the venues."""
    answer = plain_http.get(f"{gateway.url}{MARKETS}/{name}/tick", headers=gateway.bearer())
    assert (answer.status_code, answer.json()["remedy"]) == (status, remedy)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}])
def test_the_lane_asks_for_a_token_as_all_routes_do(gateway: Served, headers: dict[str, str]) -> None:
    """It stands in front of them."""
    answer = plain_http.get(f"{gateway.url}{MARKETS}/CHFJPY/tick", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
