"""`tradewind archive`: list, compare, compact and prune the Parquet files of topics."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.archive.compaction import Compacted
    from tradewind.connectors.archive.verification import Verified
    from tradewind.connectors.settings import Settings

TOPICS = click.argument("topics", nargs=-1, metavar="[TOPIC...]")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
SIZE = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@click.group()
def archive() -> None:
    """List, compare, compact and prune the archive: records of topics, in Parquet files of the sink `archive`.

    TRADEWIND_ARCHIVE__ENABLED=true has `up` run the sink.
    """


def _day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else date.fromisoformat(value).isoformat()
    except ValueError:
        raise click.BadParameter(f"{value!r} is no day: write 2026-11-30") from None


def _bytes(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    number, unit = value.rstrip("KMGT"), value[len(value.rstrip("KMGT")) :]
    if not number.isdecimal() or unit not in SIZE:
        raise click.BadParameter(f"{value!r} is no size: write 500M, or 20G")
    return int(number) * SIZE[unit]


@archive.command("list")
@TOPICS
@AS_JSON
@plain_errors
def list_files(topics: tuple[str, ...], *, as_json: bool) -> None:
    """List what the archive has of each partition: files, records, bytes, days and offsets."""
    from tradewind.connectors.archive.files import facts_of  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.archive.names import chosen, listed  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    folder = settings.archive_folder.absolute()
    found: list[dict[str, Any]] = []
    for topic in chosen(folder, topics, settings.namespace):
        for partition, listing in listed(folder, topic).items():
            files = listing.files
            found.append(
                {
                    "topic": topic,
                    "partition": partition,
                    "files": len(files),
                    "records": sum(facts_of(file).count for file in files),
                    "bytes": sum(file.path.stat().st_size for file in files),
                    "from": min(file.day for file in files),
                    "to": max(file.day for file in files),
                    "first": files[0].first,
                    "last": files[-1].last,
                }
            )
    if as_json:
        say_json({"folder": str(folder), "partitions": found}, indent=2)
    elif not found:
        click.echo(f"there is nothing in {folder}: TRADEWIND_ARCHIVE__ENABLED=true has `up` write it")
    else:
        head = ("topic", "partition", "files", "records", "MB", "from", "to", "first", "last")
        rows = [
            (
                one["topic"],
                str(one["partition"]),
                f"{one['files']:,}",
                f"{one['records']:,}",
                f"{one['bytes'] / 1e6:,.1f}",
                one["from"],
                one["to"],
                str(one["first"]),
                str(one["last"]),
            )
            for one in found
        ]
        click.echo(aligned([head, *rows], right={1, 2, 3, 4, 7, 8}))


@archive.command()
@TOPICS
@click.option("--files-only", is_flag=True, help="Do not ask Kafka.")
@AS_JSON
@plain_errors
def verify(topics: tuple[str, ...], *, files_only: bool, as_json: bool) -> None:
    """Compare each file with what was written, and with the records that Kafka still has: counts and digests.

    Exits 1 if a file is damaged, if files overlap, if offsets are missing between them, if Kafka has other records, or
    if there is no file.
    """
    from tradewind.connectors.archive.names import chosen  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.archive.verification import verify_topic  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    folder = settings.archive_folder.absolute()
    results: list[Verified] = []
    for topic in chosen(folder, topics, settings.namespace):
        for result in verify_topic(folder, topic):
            if not files_only:
                _with_kafka(settings, result)
            results.append(result)
            if not as_json:
                _tell(result, files_only=files_only)
    well = bool(results) and not any(result.problems for result in results)
    if as_json:
        say_json({"folder": str(folder), "well": well, "partitions": [asdict(one) for one in results]}, indent=2)
    elif not results:
        click.echo(f"nothing was compared: there is no file in {folder}")
    sys.exit(0 if well else 1)


def _with_kafka(settings: Settings, result: Verified) -> None:
    from tradewind.connectors.archive.verification import verify_with_kafka  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.kafka.admin import partition_counts  # noqa: PLC0415
    from tradewind.connectors.kafka.offsets import Offsets  # noqa: PLC0415

    if result.partition >= partition_counts(settings).get(result.topic, 0):
        result.notes.append(f"Kafka has no {result.topic}/{result.partition}: its records were not compared")
        return
    offsets = Offsets(settings)
    try:
        at = (result.topic, result.partition)
        bounds = offsets.bounds([at])[at]
    finally:
        offsets.close()
    verify_with_kafka(settings, result, bounds)


def _tell(result: Verified, *, files_only: bool) -> None:
    kafka = (
        "" if files_only else f", {result.compared:,} compared with Kafka, which has {result.waiting:,} offsets more"
    )
    verdict = "differs" if result.problems else "equal"
    click.echo(
        f"{result.topic}, partition {result.partition}: {result.files:,} files, {result.records:,} records{kafka}: "
        f"{verdict}"
    )
    for note in result.notes:
        click.echo(f"  note: {note}")
    for problem in result.problems:
        click.echo(f"  problem: {problem}")


@archive.command()
@TOPICS
@click.option("--before", metavar="DAY", callback=_day, help="Only files of days before this one.  [default: today]")
@plain_errors
def compact(topics: tuple[str, ...], *, before: str | None) -> None:
    """Make few large files of the many small ones of each day that is over.

    Counts and digests are compared before a file is removed. A compaction that was killed is finished by the next one.
    """
    from tradewind.connectors.archive.compaction import compact as run  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.archive.names import chosen  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    folder = settings.archive_folder.absolute()
    names = chosen(folder, topics, settings.namespace)
    made: list[Compacted] = []

    def note(one: Compacted) -> None:
        made.append(one)
        click.echo(
            f"{one.into.name}: {one.of} files, {one.records:,} records, {one.bytes_before:,} bytes -> "
            f"{one.bytes_after:,}"
        )

    if names:
        run(folder, names, before or datetime.now(UTC).date().isoformat(), note)
    if not made:
        click.echo(f"there is nothing to compact in {folder}")


@archive.command()
@TOPICS
@click.option("--before", metavar="DAY", callback=_day, help="Remove files of days before this one.")
@click.option("--keep", "keep_bytes", metavar="SIZE", callback=_bytes, help="Keep the newest of this size, as in 20G.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def prune(topics: tuple[str, ...], *, before: str | None, keep_bytes: int | None, yes: bool) -> None:
    """Remove old files. The newest file of each partition stays, because its name is the position of the sink."""
    from tradewind.connectors.archive.names import chosen  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.archive.pruning import before as older  # noqa: PLC0415
    from tradewind.connectors.archive.pruning import beyond, remove  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    if (before is None) == (keep_bytes is None):
        raise click.UsageError("give --before DAY, or --keep SIZE")
    settings = Settings()
    folder = settings.archive_folder.absolute()
    names = chosen(folder, topics, settings.namespace)
    files = older(folder, names, before) if before is not None else beyond(folder, names, keep_bytes or 0)
    if not files:
        click.echo(f"there is nothing to remove in {folder}; the newest file of each partition stays")
        return
    size = sum(file.path.stat().st_size for file in files)
    days = sorted({file.day for file in files})
    said = f"{len(files):,} files, {size / 1e6:,.1f} MB, of {days[0]} to {days[-1]}"
    if not yes:
        click.confirm(f"remove {said} from {folder}?", abort=True)
    remove(files)
    click.echo(f"removed {said}")
