"""QuestDB: the embedded time-series store, which takes InfluxDB's line protocol over HTTP."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tradewind.connectors.certificates import certificates
from tradewind.connectors.settings import Settings, revealed
from tradewind.connectors.timeseries.product import ask, kind_of, require
from tradewind.infra.services.declaration import ASK_S, Service
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.passwords import password
from tradewind.infra.services.ports import connect
from tradewind.infra.services.process import Command
from tradewind.infra.services.service import LOOPBACK, Running

USER = "tradewind"
TIMEOUT_S = 5.0
LOGGING = """\
writers=stdout
w.stdout.class=io.questdb.log.LogConsoleWriter
w.stdout.level=ADVISORY,ERROR,CRITICAL
"""
"""Its default logs every query and every connection."""
RESTING = {
    f"QDB_{pool}_WORKER_{setting}": value
    for pool in ("SHARED", "WAL_APPLY")
    for setting, value in (("NAP_THRESHOLD", "100"), ("SLEEP_THRESHOLD", "200"), ("SLEEP_TIMEOUT", "10"))
}
"""After so many rounds without work a thread naps for 1 ms, and then sleeps for 10. By default it goes round 7,000
times and naps 3,000 times first: with some writes a second none ever sleeps, and they take a third of a core."""


SPLITTING = {"QDB_CAIRO_O3_PARTITION_SPLIT_MIN_SIZE": "1M"}
"""What of an hour lies before rows that come late is set apart where it is larger than this, instead of being written
again with them. Rows of a topic's partitions come by turns, so nearly all are late: with the default of 50 MB 1,000
ticks a second wrote 90 MB a second, and now 2; it takes two thirds of the time, too."""

GROWING = dict.fromkeys(
    ("QDB_CAIRO_WRITER_DATA_APPEND_PAGE_SIZE", "QDB_CAIRO_WRITER_DATA_INDEX_VALUE_APPEND_PAGE_SIZE"), "1M"
)
"""By how much a column's file grows at a time, while it is open. With the default of 16 MB, empty tables took 400 MB of
the disk, and 700 MB after half a minute of ticks: a disk of 900 MB was full at once."""


class QuestDB(Service):
    """One QuestDB server, with a password: without one, any web page could send it queries."""

    name = "questdb"
    part = "influx"
    offsets = (10, 11)
    """Line protocol, queries and console; queries in PostgreSQL's protocol."""

    @property
    def url(self) -> str:
        """Base URL of its line protocol and queries."""
        return f"http://{LOOPBACK}:{self.port()}"

    def endpoint(self) -> dict[str, Any]:
        """Return where it is, with user and password."""
        return {"url": self.url, "user": USER, "password": password(self.place.data, self.name)}

    @classmethod
    def called(cls, settings: Settings) -> str:
        """Return the name of the time-series store: QuestDB, or an InfluxDB in its place."""
        return kind_of(settings.influx)

    @classmethod
    def ask(cls, settings: Settings) -> str:
        """Return the version of the time-series store; raises `WrongProduct` if it is not the one that is meant."""
        part = settings.influx
        product = ask(part, ASK_S)
        require(part, kind_of(part), product)
        if product.kind != "questdb":
            return product.version
        auth = (part.user, revealed(part.password) or "")
        query = {"query": "select build()"}
        answer = httpx.get(f"{part.url}/exec", params=query, auth=auth, timeout=ASK_S, verify=certificates())
        return version_of(answer.raise_for_status().json()["dataset"][0][0])

    def start(self) -> Running:
        """Start it and return when it answers queries."""
        begun = time.monotonic()
        folder = self.place.folder(self.name)
        (folder / "root" / "conf").mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "root" / "conf" / "log.conf").write_text(LOGGING)
        jar = artifacts.ensure(["questdb"])["questdb"][0]
        options = ("-Xmx256m", "-cp", str(jar), "io.questdb.ServerMain", "-d", "root")
        command = Command(
            self.name,
            self.place.java.command(folder, [jar], *options),
            folder,
            self.place.log(self.name),
            self._environment(),
        )
        return self.run(command, self._probe, begun, self.url)

    def _environment(self) -> dict[str, str]:
        secret = password(self.place.data, self.name)
        return {
            "QDB_HTTP_BIND_TO": f"{LOOPBACK}:{self.port()}",
            "QDB_HTTP_USER": USER,
            "QDB_HTTP_PASSWORD": secret,
            "QDB_HTTP_MIN_ENABLED": "false",
            "QDB_PG_NET_BIND_TO": f"{LOOPBACK}:{self.port(1)}",
            "QDB_PG_USER": USER,
            "QDB_PG_PASSWORD": secret,
            "QDB_LINE_TCP_ENABLED": "false",
            "QDB_TELEMETRY_ENABLED": "false",
            **RESTING,
            **SPLITTING,
            **GROWING,
        }

    def _probe(self) -> str:
        """Return QuestDB's version once it answers a query."""
        connect(self.port())
        try:
            answer = httpx.get(
                f"{self.url}/exec",
                params={"query": "select build()"},
                auth=(USER, password(self.place.data, self.name)),
                timeout=TIMEOUT_S,
                trust_env=False,
                verify=certificates(),
            ).raise_for_status()
        except httpx.HTTPError as error:
            raise ConnectionError(str(error)) from error
        return version_of(answer.json()["dataset"][0][0])


def version_of(build: str) -> str:
    """Return the version from what `build()` says: `Build Information: QuestDB 9.3.4, JDK ...`."""
    return build.partition("QuestDB ")[2].partition(",")[0] or build
