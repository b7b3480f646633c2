"""Runs the archive sink on ticks until it is killed or told to stop.

python archiver.py FILE_BYTES
"""

from __future__ import annotations

import signal
import sys
import threading

from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.archive.sink import ArchiveSink, Cuts
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.topics import TICKS

LIMITS = Limits(linger_s=0.02, session_s=6.0)

if __name__ == "__main__":
    settings = Settings()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    sink = ArchiveSink(settings, (TICKS,), Cuts(file_bytes=int(sys.argv[1])))
    loop = threading.Thread(target=SinkLoop(settings, sink, open_codec(settings), limits=LIMITS).run, args=(stop,))
    loop.start()
    while loop.is_alive():
        loop.join(0.2)
