"""The page of a sweep: a heat map, the best sets, and what the best one is worth after so many trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from tradewind.streams.backtest.report.document import document
from tradewind.streams.backtest.report.page import LABELS

NAMED: Final = 30  # sets that the table shows
MOST_VALUES: Final = 200  # of an axis of the heat map
SHOWN: Final = ("total_return", "sharpe", "max_drawdown_intraday", "profit_factor", "trades", "fees")
MORE_THAN_ONE: Final = 2


def sweep_page(of: Mapping[str, Any]) -> str:
    """Return the report of a sweep as one HTML text. It needs no network."""
    title = f"Sweep of {of['strategy']['name']}"
    done, sources = of["outcomes"], ", ".join(one["name"] for one in of["sources"])
    failed = [one for one in done if "failed" in one]
    told = f"{len(done):,} of {len(of['sets']):,} sets, {len(failed):,} failed; {of['quotes']:,} quotes of {sources}"
    body = (
        f"<header><h1>{escape(title)}</h1></header><div class='sub'>{escape(told)}</div>",
        "<section class='failed'><h2>Interrupted: not all sets were run</h2></section>" if of["interrupted"] else "",
        _cards(of, _best(of)),
        f"<section><h2>{escape(_label(of['ranking']['by']))} by parameters</h2><div class='plot' id='map'></div>",
        "<p class='note'>A good set among bad ones is chance. Look for a region of good sets.</p></section>",
        _table(of),
        _failures(failed),
        f"<footer>Sweep <code>{of['id']}</code>. The best of many sets looks better than it is: the deflated Sharpe ",
        "ratio (Bailey and Lopez de Prado 2014) says how likely its Sharpe ratio is above that of luck.</footer>",
    )
    return document(title, body, _figures(of), "sweep.js")


def named(parameters: Mapping[str, Any]) -> str:
    """Return a set as `--param` takes it."""
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def written(name: str, value: float | None) -> str:
    """Return a metric as it is written; a dash where it has no value."""
    if value is None:
        return "–"
    form = LABELS[name][1]
    return f"{value:.2%}" if form == "%" else f"{value:,}" if form == "n" else f"{value:,.2f}"


def _label(by: str) -> str:
    return LABELS[by][0]


def _best(of: Mapping[str, Any]) -> Mapping[str, Any] | None:
    order = of["ranking"]["order"]
    return None if not order else next(one for one in of["outcomes"] if one["set"] == order[0])


def _cards(of: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    if best is None:
        return "<section class='failed'><h2>No set was run to its end</h2></section>"
    by, deflated = of["ranking"]["by"], of["ranking"]["deflated_sharpe"]
    cards = [(named(best["parameters"]) or "the defaults", "Best set")]
    cards += [(written(name, best["metrics"][name]), LABELS[name][0]) for name in dict.fromkeys((by, *SHOWN))]
    cards.append((f"{deflated['value']:.3f}" if "value" in deflated else "–", "Deflated Sharpe ratio"))
    text = "".join(
        f"<div class='card'><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in cards
    )
    notes = [of["ranking"]["note"], f"No deflated Sharpe ratio: {deflated['why']}." if "why" in deflated else ""]
    return f"<div class='cards'>{text}</div>" + "".join(f"<p class='note'>{escape(note)}</p>" for note in notes if note)


def _table(of: Mapping[str, Any]) -> str:
    by_number = {one["set"]: one for one in of["outcomes"]}
    rows = [by_number[number] for number in of["ranking"]["order"][:NAMED]]
    if not rows:
        return ""
    names = [*rows[0]["parameters"]]
    head = "".join(f"<th class='n'>{escape(name)}</th>" for name in (*names, *(LABELS[one][0] for one in SHOWN)))
    body = "".join(
        "<tr>"
        + "".join(f"<td class='n'>{escape(str(one['parameters'][name]))}</td>" for name in names)
        + "".join(f"<td class='n'>{written(name, one['metrics'][name])}</td>" for name in SHOWN)
        + "</tr>"
        for one in rows
    )
    title = f"The best {len(rows):,} sets, by {_label(of['ranking']['by'])}"
    return f"<section class='wide'><h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table></section>"


def _failures(failed: Sequence[Mapping[str, Any]]) -> str:
    if not failed:
        return ""
    rows = "".join(
        f"<tr><td>{escape(named(one['parameters']))}</td><td>{escape(one['failed'])}</td></tr>"
        for one in failed[:NAMED]
    )
    more = f"<p class='note'>and {len(failed) - NAMED:,} more</p>" if len(failed) > NAMED else ""
    return f"<section class='wide'><h2>Sets that were refused, or failed</h2><table>{rows}</table>{more}</section>"


def _figures(of: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the heat map of the two parameters with most values, with the best of the sets that share a cell."""
    by, sound = of["ranking"]["by"], [one for one in of["outcomes"] if "failed" not in one]
    values = {name: _ordered(one["parameters"][name] for one in sound) for name in _names(sound)}
    axes = sorted((name for name in values if len(values[name]) >= MORE_THAN_ONE), key=lambda name: -len(values[name]))
    chosen = axes[:2]
    cells: dict[tuple[str, ...], float] = {}
    for one in sound:
        value = one["metrics"][by]
        if value is not None:
            key = tuple(str(one["parameters"][name]) for name in chosen)
            cells[key] = max(value, cells.get(key, value))
    kept = [values[name][:MOST_VALUES] for name in chosen]
    figures: dict[str, Any] = {"axes": chosen, "values": kept, "by": _label(by), "percent": LABELS[by][1] == "%"}
    if len(chosen) == 2:
        figures["cells"] = [[cells.get((one, other)) for one in kept[0]] for other in kept[1]]
    elif chosen:
        figures["cells"] = [cells.get((one,)) for one in kept[0]]
    else:
        figures["cells"] = []
    return figures


def _names(sound: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    return sound[0]["parameters"] if sound else ()


def _ordered(values: Iterable[Any]) -> list[str]:
    """Return different values, numbers by size and before texts."""
    found = dict.fromkeys(map(str, values))
    return sorted(found, key=lambda value: (0, float(value), "") if _is_number(value) else (1, 0.0, value))


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
