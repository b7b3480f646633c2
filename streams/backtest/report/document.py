"""A page of a report as one HTML text: what its script draws is in it, and it asks no network for anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any


def document(title: str, body: Iterable[str], figures: Mapping[str, Any], script: str) -> str:
    """Return a page; `script` is the file of this folder that draws the figures."""
    # In a script, `</` would end it, whatever a symbol is called.
    data = json.dumps(figures, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{_resource('page.css')}</style></head><body><main>",
            *body,
            f'</main><script type="application/json" id="figures">{data}</script>',
            f"<script>{_plotly()}</script>",
            f"<script>{_resource('theme.js')}{_resource(script)}</script></body></html>\n",
        )
    )


@cache
def _resource(name: str) -> str:
    return files("tradewind.streams.backtest.report").joinpath(name).read_text("utf-8")


@cache
def _plotly() -> str:
    """Return plotly.js, which the package brings, so that the page asks nobody for it."""
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
