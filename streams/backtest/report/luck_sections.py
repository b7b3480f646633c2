"""The sections of a report on luck: bands of outcomes whose trades and days were drawn again, and sudden moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

LEVELS: Final = ("0.05", "0.25", "0.5", "0.75", "0.95")
ROWS: Final = (("total_return", "Return", "%"), ("max_drawdown", "Max drawdown", "%"), ("sharpe", "Sharpe", ""))
TITLES: Final = {"days": "Session days drawn again", "trades": "Trades drawn again"}


def luck_sections(of: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sections as HTML; of series that cannot be drawn again, one note."""
    missing = []
    for kind, title in TITLES.items():
        if "why" in of[kind]:
            missing.append(f"{title}: {of[kind]['why']}")
        else:
            yield _section(kind, title, of[kind])
    if of["moves"]:
        yield _moves(of)
    if missing:
        yield f"<p class='note'>Not drawn. {'. '.join(missing)}.</p>"


def _section(kind: str, title: str, of: Mapping[str, Any]) -> str:
    head = "".join(f"<th class='n'>{level}</th>" for level in ("5 %", "25 %", "50 %", "75 %", "95 %", "As it was"))
    rows = "".join(
        f"<tr><td>{label}</td>"
        + "".join(f"<td class='n'>{_written(of[name]['levels'][level], form)}</td>" for level in LEVELS)
        + f"<td class='n'>{_written(of[name]['observed'], form)}</td></tr>"
        for name, label, form in ROWS
        if of[name] is not None
    )
    told = (
        f"{of['draws']:,} draws of {of['count']:,} {kind} in blocks of {of['block']:.1f} on average (stationary "
        f"bootstrap, seed {of['seed']}). {of['loss']:.1%} of them end with a loss. A column says what a share of draws "
        "is at or below."
    )
    return (
        f"<section><h2>{title}</h2><div class='plot' id='luck-{kind}'></div>"
        f"<table><tr><th></th>{head}</tr>{rows}</table><p class='note'>{told}</p></section>"
    )


def _moves(of: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{hit['name']}</td><td class='n'>{hit['move']:.0%}</td>"
        f"<td class='n down'>{-hit['at_largest']:.2%}</td><td class='n down'>{-hit['at_average']:.2%}</td></tr>"
        for hit in of["moves"]
    )
    names = ("Move", "At the largest position", "At the average")
    head = "<tr><th></th>" + "".join(f"<th class='n'>{name}</th>" for name in names) + "</tr>"
    note = "By the capital. The price is there at once, so no stop helps. All instruments move against their positions."
    return f"<section><h2>What if: sudden moves</h2><table>{head}{rows}</table><p class='note'>{note}</p></section>"


def _written(value: float, form: str) -> str:
    return f"{value:.2%}" if form == "%" else f"{value:,.2f}"
