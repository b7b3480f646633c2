"""A local server that answers as InfluxDB 2.8 does, for tests: it keeps what is written, and reads it back by Flux.

What it answers was taken from InfluxDB's source, tag v2.8.0; each module names the files. It parses line protocol by
itself and refuses what InfluxDB refuses, so that a sink which writes something wrong fails here, too.
"""

from influx_double.server import Double

__all__ = ["Double"]
