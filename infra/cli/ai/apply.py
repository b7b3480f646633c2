"""`tradewind ai apply` and `templates`: settings files of AI, checked and applied as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.ai.applying import apply_and_say, of_number
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.ai.in_force import InForce
    from tradewind.connectors.settings import Settings
    from tradewind.processors.ai.settings import Setting
    from tradewind.schemas.ai import AiPrice


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--template", "name", help="Apply this template instead of a file; ./dev ai templates lists them.")
@click.option("--prices", is_flag=True, help="Add the list prices of its models that have no price (./dev ai prices).")
@click.option("--check", is_flag=True, help="Only say what is wrong with the file.")
@plain_errors
def apply(file: Path | None, *, name: str | None, prices: bool, check: bool) -> None:
    """Apply the providers, routes and prices of FILE, YAML or JSON: the whole file or nothing (docs/ai.md)."""
    from tradewind.connectors.ai.in_force import in_force  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    title, document = _document(file, name)
    settings = Settings()
    codec = open_codec(settings)
    known = in_force(settings, codec)
    changes = changes_of(title, document, known)
    if prices:
        changes += list_prices(changes, known)
    for note in [*_unpriced(changes, known), *_keyless(changes, settings)]:
        click.echo(note, err=True)
    if check:
        click.echo(f"{title} is sound: {of_number(len(changes))} to be revision {known.revision + 1}")
        return
    apply_and_say(changes, known.revision, settings, codec)


@click.command()
@click.argument("name", required=False)
@plain_errors
def templates(name: str | None) -> None:
    """List the templates of settings files, or print the template NAME, to be changed and applied."""
    from tradewind.connectors.ai.settings_files.templates import template  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.settings_files.templates import templates as every  # noqa: PLC0415

    if name is not None:
        click.echo(template(name), nl=False)
        return
    for known, text in every().items():
        click.echo(f"{known}: {text.partition(chr(10))[0].removeprefix('# ')}")


def list_prices(changes: Sequence[Setting], known: InForce) -> list[AiPrice]:
    """Return the list prices of the models of changed providers that have no price of anybody's own."""
    from tradewind.connectors.ai.catalogue import listed  # noqa: PLC0415 - its data take a while
    from tradewind.schemas.ai import AiPrice, AiProvider  # noqa: PLC0415 - help comes at once

    own = {(one.tenant_id, one.provider, one.model) for one in changes if isinstance(one, AiPrice)}
    providers = [one for one in changes if isinstance(one, AiProvider) and one.active]
    found = listed(providers, known.priced, known.origins)
    for (provider, model), said in found.tiered.items():
        click.echo(f"note: {provider} {model}: {said}", err=True)
    return [one for one in found.prices if (one.tenant_id, one.provider, one.model) not in own]


def _unpriced(changes: Sequence[Setting], known: InForce) -> Iterator[str]:
    """Say which models of a file have no price, so that no request goes to them."""
    from tradewind.schemas.ai import AiPrice, AiProvider  # noqa: PLC0415 - help comes at once

    priced = {(provider, model) for _, provider, model in known.priced}
    priced |= {(one.provider, one.model) for one in changes if isinstance(one, AiPrice)}
    for one in changes:
        if isinstance(one, AiProvider) and one.active:
            missing = [str(model["name"]) for model in one.models if (one.name, model["name"]) not in priced]
            if missing:
                yield (
                    f"note: {one.name} {', '.join(missing)} has no price, so no request goes there: "
                    "write a price, or add list prices by --prices"
                )


def _keyless(changes: Sequence[Setting], settings: Settings) -> Iterator[str]:
    """Say which keys of a file are not known here."""
    from tradewind.schemas.ai import AiProvider  # noqa: PLC0415 - help comes at once

    known = {id_.lower() for id_ in settings.ai.keys}
    ids = {str(key["key_id"]) for one in changes if isinstance(one, AiProvider) and one.active for key in one.keys}
    for id_ in sorted(id_ for id_ in ids if id_ and id_.lower() not in known):
        yield f"note: the settings here have no key {id_}: is it added by ./dev ai keys add {id_}?"


def _document(file: Path | None, name: str | None) -> tuple[str, Any]:
    """Return what is to be applied by name, and its document."""
    from tradewind.connectors.ai.settings_files.templates import template  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.settings_files.text import NotReadable, document_of  # noqa: PLC0415

    if (file is None) == (name is None):
        raise click.UsageError("name either a FILE or a --template")
    title = f"template {name}" if file is None else str(file)
    try:
        if file is None:
            return title, document_of(template(str(name)))
        return title, document_of(file.read_text("utf-8"), is_json=file.suffix == ".json")
    except (NotReadable, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, NotReadable) else "it is not UTF-8"
        raise click.ClickException(f"{title} was not applied, and nothing has changed:\n  {said}") from None


def changes_of(title: str, document: Any, known: InForce) -> list[Setting]:
    """Return what a file changes, or refuse it with everything that is wrong with it."""
    from tradewind.connectors.ai.calls import adapter_names  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.catalogue import context_of  # noqa: PLC0415
    from tradewind.processors.ai.settings_file.fields import Flaw  # noqa: PLC0415
    from tradewind.processors.ai.settings_file.file import read  # noqa: PLC0415

    models = {(one.name, str(model["name"])) for one in known.providers for model in one.models}
    found = read(document, models, context_of, adapter_names())
    if flaws := [one for one in found if isinstance(one, Flaw)]:
        said = "\n".join(f"  {one.path or title}: {one.text}" for one in flaws)
        raise click.ClickException(f"{title} was not applied, and nothing has changed:\n{said}")
    return [one for one in found if not isinstance(one, Flaw)]
