"""The documentation holds together: links lead somewhere, lines wrap, and decisions have one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tradewind.infra.cli.group import tradewind

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 100
README_LINES = 200
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ADRS])
CODE = ("schemas", "topics", "processors", "connectors", "streams", "infra", "tradewind/testing", "tests")
SECTIONS = ["Context", "Decision", "Rejected alternatives", "Consequences"]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"(?:\./dev|`tradewind|^tradewind) ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*)\b(?!/))?", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    """Return a page's path in the repository, which names its test."""
    return str(page.relative_to(ROOT))


def prose_of(page: Path) -> str:
    """Return the text of a page with its code blocks emptied; line numbers stay as they are."""
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text("utf-8"))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings: a heading that comes again gets a number."""
    found: set[str] = set()
    for heading in HEADING.findall(prose_of(page)):
        text = re.sub(r"[^\w\- ]", "", LINK.sub("", heading).lower()).replace(" ", "-")
        found.add(next(name for name in (text, *(f"{text}-{n}" for n in range(1, 100))) if name not in found))
    return found


def broken(page: Path) -> Iterator[str]:
    """Yield the relative links of a page that lead nowhere."""
    for target in LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        of = (page.parent / path).resolve() if path else page
        if not of.exists() or (anchor and anchor not in anchors_of(of)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_and_anchor_exists(page: Path) -> None:
    """Of pages and of places in them."""
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_wrap_at_100_columns(page: Path) -> None:
    """Outside code blocks, tables, and links that are longer than a line."""
    long = [
        f"{number}: {line}"
        for number, line in enumerate(prose_of(page).splitlines(), 1)
        if len(line) > COLUMNS and not line.lstrip().startswith("|") and " " in line.strip().removeprefix("- ")
    ]
    assert long == []


def test_a_link_to_a_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    """So is one to a page that is not there; links within code and to other sites are left alone."""
    page = tmp_path / "page.md"
    page.write_text("# A *b*, `c`\n[1](#a-b-c) [2](#d) [3](no.md) [4](https://e.f#g)\n```\n[5](no.md)\n```\n")
    assert list(broken(page)) == ["#d", "no.md"]


def test_the_readme_is_short() -> None:
    """A first reader reads all of it."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < README_LINES


def test_the_index_names_every_page() -> None:
    """Nobody has to list the folder to find a page."""
    linked = set(LINK.findall(prose_of(ROOT / "docs" / "index.md")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= {
        target.partition("#")[0] for target in linked
    }


def test_numbers_of_decisions_have_no_gap() -> None:
    """Each is in the file's name and in its title."""
    numbers = {int(page.name[:4]): page for page in ADRS}
    assert sorted(numbers) == list(range(1, len(ADRS) + 1))
    for number, page in numbers.items():
        assert page.read_text("utf-8").startswith(f"# {number:04}. ")


@pytest.mark.parametrize("page", ADRS, ids=name_of)
def test_each_decision_has_the_four_sections_in_order(page: Path) -> None:
    """Further headings stand within them."""
    assert re.findall(r"^## (.+)$", prose_of(page), re.MULTILINE) == SECTIONS


def test_code_names_pages_and_decisions_that_exist() -> None:
    """By path, such as docs/halts.md, by a heading that follows in quotes, and by number, such as ADR 16."""
    numbers = {int(page.name[:4]) for page in ADRS}
    wrong = []
    for file in (file for folder in CODE for file in (ROOT / folder).rglob("*.py")):
        text, name = file.read_text("utf-8"), name_of(file)
        for path, heading in re.findall(r'\b(docs/[\w/-]+\.md)(?:, "([^"\n]+)")?', text):
            page = ROOT / path
            if not page.exists() or (heading and heading not in HEADING.findall(prose_of(page))):
                wrong.append(f"{name}: {path} {heading}")
        cited = {int(one or other) for one, other in re.findall(r"\bADR (\d+)|docs/adr/(\d{4})", text)}
        wrong += [f"{name}: ADR {number}" for number in sorted(cited - numbers)]
    assert wrong == []


def commands_named(text: str) -> set[tuple[str, ...]]:
    """Return the commands that a text names as `./dev ...` or `tradewind ...`: (command,) or (command, subcommand)."""
    found = NAMED.findall(text)
    return {tuple(word for word in words if word) for words in found}


def unknown(commands: set[tuple[str, ...]]) -> Iterator[str]:
    """Yield the commands, and the subcommands of groups, that `./dev` does not have."""
    for first, *rest in sorted(commands):
        command = tradewind.get_command(click.Context(tradewind), first)
        if command is None or (rest and isinstance(command, click.Group) and rest[0] not in command.commands):
            yield " ".join((first, *rest))


def test_every_command_that_pages_and_messages_name_exists() -> None:
    """A person who does what a message says must not read that there is no such command."""
    files = [*PAGES, *(file for folder in CODE[:-1] for file in (ROOT / folder).rglob("*.py"))]
    wrong = {name_of(file): list(unknown(commands_named(file.read_text("utf-8")))) for file in files}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_a_command_that_does_not_exist_is_found() -> None:
    """Arguments of a command without subcommands are none of its names."""
    assert list(unknown({("topics", "verify"), ("topics", "list"), ("verify",), ("logs", "execution")})) == [
        "topics verify",
        "verify",
    ]
