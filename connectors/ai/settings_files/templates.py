"""Settings files that come with Tradewind, each to be applied as it is or copied and changed."""

from __future__ import annotations

from importlib.resources import files

HOME = "templates"
ENDING = ".yaml"


class NoTemplate(LookupError):
    """No template has this name; the message lists those there are."""


def templates() -> dict[str, str]:
    """Return the text of each template by its name."""
    found = {one.name: one for one in files(__package__).joinpath(HOME).iterdir() if one.name.endswith(ENDING)}
    return {name.removesuffix(ENDING): found[name].read_text("utf-8") for name in sorted(found)}


def template(name: str) -> str:
    """Return the text of a template. Raises `NoTemplate`."""
    known = templates()
    if name not in known:
        raise NoTemplate(f"there is no template {name!r}; templates are: {', '.join(known)}")
    return known[name]
