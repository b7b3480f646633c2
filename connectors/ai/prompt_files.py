"""Prompts from files `name@version.toml`: ours, those of installed packages, and those of a folder of the user."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from tradewind.connectors.settings import PREFIX, Settings
from tradewind.processors.ai.prompts import MOST_CHARACTERS, Prompt, PromptError, Prompts, prompt_from

ENTRY_POINTS = "tradewind.ai.prompts"
"""Group of the entry points that name packages with prompts: `name = "package.with_prompts"`."""
SUFFIX = ".toml"
OURS = Path(__file__).parent / "prompts"
MOST_PROMPTS = 1_000
"""In one folder: each process that asks or answers reads all of them at its start."""


def prompts(settings: Settings) -> Prompts:
    """Return every prompt by `name@version`.

    Raises `PromptError` for a file that is no prompt, a package or folder that cannot be read, and for two files of one
    name that say different things.
    """
    found: dict[str, Prompt] = {}
    for where, folder in _folders(settings):
        for prompt in _of(where, folder):
            before = found.setdefault(prompt.name, prompt)
            if before != prompt:
                raise PromptError(
                    f"{where}: prompt {prompt.name} is there twice, with other text: give it a new version"
                )
    return found


def _folders(settings: Settings) -> Iterator[tuple[str, Traversable]]:
    yield str(OURS), OURS
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            folder = files(point.value)
        except (ImportError, TypeError) as error:
            raise PromptError(
                f"entry point {point.name} of {ENTRY_POINTS} ({point.value}) names no package: {error}. Repair or "
                "uninstall it"
            ) from error
        yield f"package {point.value}", folder
    own = settings.ai.prompts_folder
    if own is not None:
        if not own.is_dir():
            raise PromptError(f"{PREFIX}AI__PROMPTS_FOLDER is {str(own)!r}, which is no folder")
        yield str(own), own


def _of(where: str, folder: Traversable) -> Iterator[Prompt]:
    names = {one.name: one for one in folder.iterdir() if one.name.endswith(SUFFIX) and one.is_file()}
    if len(names) > MOST_PROMPTS:
        raise PromptError(f"{where} has {len(names):,} prompts, above {MOST_PROMPTS:,}")
    for name, file in sorted(names.items(), key=lambda each: each[0]):
        content = file.read_bytes()
        if len(content) > 4 * MOST_CHARACTERS:
            raise PromptError(f"{where}: {name} has {len(content):,} bytes: it is too large for a prompt")
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise PromptError(f"{where}: {name} is not UTF-8: {error}") from None
        try:
            yield prompt_from(name.removesuffix(SUFFIX), text)
        except PromptError as error:
            raise PromptError(f"{where}: {error}") from None
