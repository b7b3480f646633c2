"""Keeps log lines out of what pytest prints: they go to files, which a failure names.

Native threads such as librdkafka's write to file descriptor 2 whenever they like, also between two tests and after the
last one, where pytest captures nothing.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

FOLDER = "output"
PRINTED = "Captured stdout"
"""What a test prints itself is shown; the rest is logs."""


def fresh_folder(config: pytest.Config) -> Path:
    """Return the folder for the logs of this run, emptied of those of the run before."""
    cache = config.cache
    assert cache is not None
    folder = cache.mkdir(FOLDER)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return folder


def redirect(config: pytest.Config, log: Path, descriptors: Sequence[int]) -> None:
    """Send what is written to descriptors, whenever pytest does not capture it, to a log."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None or config.option.capture != "fd":  # -s: a person wants to see it all
        return
    capture.stop_global_capturing()
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)
    capture.start_global_capturing()
    capture.suspend_global_capture()


def keep(report: pytest.TestReport, folder: Path) -> None:
    """Replace the logs in a failed test's report by the name of a file that holds them, after the failure itself.

    The file is there at once: nobody has to wait for the end of a long run.
    """
    logs = [(title, text) for title, text in report.sections if not title.startswith(PRINTED) and text.strip()]
    file = folder / (re.sub(r"[^\w.\[\]-]+", "-", report.nodeid)[-120:] + ".log")
    told = [("failure", report.longreprtext), *logs]
    file.write_text("".join(f"--- {title}\n{text}\n" for title, text in told), "utf-8", "replace")
    if logs:
        report.sections = [section for section in report.sections if section not in logs]
        report.sections.append(("Logs", str(file)))
