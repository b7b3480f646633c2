"""Runs a bench of any revision in a short form: by its options where it has them, else by the names in its modules.

    python -P -c TEXT-OF-THIS-FILE BENCH SHORT

It runs in the older revision's environment, so that it needs nothing but what each revision has. SHORT is JSON:
{"arguments": LIST, "settings": [{"option": LIST, "names": ["MODULE:NAME", ...], "value": JSON}, ...]}
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def main() -> int:
    """Run the bench; returns its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # older benches end in order by Ctrl-C alone
        signal.signal(number, signal.default_int_handler)
    name, told = sys.argv[1:]
    short = json.loads(told)
    bench = import_module(f"tradewind.infra.bench.{name}")
    options = [part for setting in short["settings"] for part in applied(bench, setting)]
    code: int = bench.main([*options, *short["arguments"]])
    return code


def applied(bench: ModuleType, setting: dict[str, Any]) -> list[str]:
    """Return the option of a setting, or set the names that the revision has in its place."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            bench.arguments(setting["option"])
    except SystemExit:
        for place in setting["names"]:
            module, _, name = place.partition(":")
            found = import_module(module)
            if not hasattr(found, name):
                raise SystemExit(f"this revision has neither {setting['option']} nor {place}") from None
            setattr(found, name, setting["value"])
        return []
    return list(setting["option"])


if __name__ == "__main__":
    sys.exit(main())
