"""How results are printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.infra.cli.output import aligned
from tradewind.processors.money import shown

if TYPE_CHECKING:
    from tradewind.streams.backtest.run import Result

Summary = Mapping[str, Any]
MADE_OF = (
    "strategy",
    "code",
    "data",
    "warmup_bars",
    "tenant",
    "capital",
    "venue_latency_ms",
    "venue_slippage_ticks",
    "venue_fee_bps",
    "bar_grace_ms",
    "tick_leap_s",
    "seed",
)
CAME = ("failed", "counts", "denials", "equity", "account", "open", "metrics")


def text_of(result: Result) -> str:
    """Return a result as a person reads it."""
    of = result.summary
    lines = [
        ("result", f"{of['id']}{' (the same as before)' if result.known else ''}"),
        ("strategy", f"{of['strategy']['name']} {parameters(of)}".rstrip()),
        ("quotes", f"{of['counts']['ticks']:,} of {', '.join(of['instruments'])}"),
        *((f"  {one['name']}", _source(one)) for one in of["sources"]),
        *(("note", note) for note in of["data"]["notes"]),
        *(("warm-up", f"{bars:,} of {of['warmup_bars']:,} bars of {name}") for name, bars in of["warmup_seen"].items()),
        ("late, discarded", f"{of['counts']['late']:,}, {of['counts']['discarded']:,}"),
        ("gaps", f"{of['gaps']['count']:,} longer than {of['gaps']['longer_than_s']} s"),
        ("signals", f"{of['counts']['signals']:,}"),
        ("targets", f"{of['counts']['requests']:,}: {of['counts']['approved']:,} orders approved, {_denied(of)}"),
        ("fills", f"{of['counts']['fills']:,}; {of['counts']['expired']:,} orders expired"),
        ("trades", f"{of['counts']['trades']:,}"),
        ("equity", f"{Decimal(of['equity']):,.2f} of {Decimal(of['capital']):,.2f} {of['currency']}"),
        *(("  " + name, shown(Decimal(amount))) for name, amount in of["account"].items()),
        *(("  " + name, number(value)) for name, value in of["metrics"].items()),
        *(("still open", f"{key} {Decimal(quantity):f}") for key, quantity in of["open"].items()),
        ("report", str(result.report)),
    ]
    text = aligned(lines)
    notes = [f"no {name}: {why}" for name, why in of["without_value"].items()]
    text = "\n".join([text, *notes])
    return text if of["failed"] is None else f"{text}\nfailed: {of['failed']}"


def number(value: float | None) -> str:
    """Return a metric as it is shown."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def _source(of: Summary) -> str:
    told = "no quotes"
    if of["first"] is not None:
        told = f"{of['ticks']:,} from {time_to_json(of['first'])} to {time_to_json(of['last'])}"
    if of["outside"]:
        told += f", {of['outside']:,} outside the range"
    if of.get("unknown"):  # results of before lack it
        told += f", {of['unknown']:,} records of unknown kinds ({of['first_unknown']})"
    return f"{told}, {of['rejected']:,} lines rejected ({of['first_rejection']})" if of["rejected"] else told


def _denied(of: Summary) -> str:
    codes = ", ".join(f"{code} {count:,}" for code, count in of["denials"].items())
    return f"{of['counts']['denied']:,} denied" + (f" ({codes})" if codes else "")


def parameters(of: Summary) -> str:
    """Return the parameters of a result's strategy, as `--param` takes them."""
    return " ".join(f"{name}={value}" for name, value in of["strategy"]["parameters"].items())


def line_of(of: Summary) -> Sequence[str]:
    """Return the cells of a result in a list."""
    equity = "failed" if of["failed"] is not None else f"{Decimal(of['equity']):,.2f}"
    counts = of["counts"]
    names = ", ".join(of["instruments"])
    return (
        of["id"],
        of["strategy"]["name"],
        parameters(of),
        names,
        equity,
        f"{counts['fills']:,}",
        f"{counts['trades']:,}",
    )


def compared(found: Sequence[Summary]) -> list[Sequence[str]]:
    """Return rows of (what, value of each result): of what the results were made of, only where that differs."""
    rows: list[Sequence[str]] = []
    for name in (*MADE_OF, *CAME):
        flats = [dict(_flat(name, of[name])) for of in found]
        for key in dict.fromkeys(key for flat in flats for key in flat):
            cells = [str(flat.get(key, "")) for flat in flats]
            if name in CAME or len(set(cells)) > 1:
                rows.append((key, *cells))
    return rows


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list):
        yield name, " ".join(map(str, value))
    elif value is not None:
        yield name, value
