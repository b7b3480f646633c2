"""Runs the double as a process of its own, for measurements: `python -m influx_double PORT`, until it is ended."""

from __future__ import annotations

import sys
import threading

from influx_double.server import Double

if __name__ == "__main__":
    with Double(port=int(sys.argv[1])) as double:
        print(double.url, flush=True)
        threading.Event().wait()
