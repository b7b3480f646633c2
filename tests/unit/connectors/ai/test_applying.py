"""`ai apply` says of a revision what the agent makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from tradewind.connectors.ai.applying import place_of
from tradewind.connectors.kafka.consumption import Record
from tradewind.infra.cli.ai import ai as group
from tradewind.infra.cli.ai import applying
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.processors.ai.settings import Setting


def records(*revisions: Sequence[Setting]) -> list[Record]:
    """Return the records of revisions, one after the other."""
    settings = [one for of in revisions for one in of]
    return [Record("ai.settings", 0, at, 0, b"", one) for at, one in enumerate(settings)]


def test_a_revision_that_another_one_has_overtaken_is_known_as_refused() -> None:
    """By the agent's own function, from the same records."""
    first, mine = revised(first_settings(), 1, 1), revised(first_settings(), 2, 3)
    others = revised(first_settings(), 2, 2)
    whole = mine[0].correlation_id
    assert place_of(whole, records(first, mine)) == (2 * len(first), True)
    assert place_of(whole, records(first, others, mine)) == (3 * len(first), False)
    assert place_of(whole, records(first, mine, others)) == (2 * len(first), True)


@pytest.mark.parametrize(
    ("standing", "said", "code"),
    [
        ("IN_FORCE", "3 entries are in force as revision 8", 0),
        ("UNREAD", "3 entries are written as revision 8, and not in force yet", 0),
        ("REFUSED", "the agent `ai` has refused revision 8, because somebody else", 1),
    ],
)
def test_apply_says_what_has_become_of_the_revision(
    monkeypatch: pytest.MonkeyPatch, standing: str, said: str, code: int
) -> None:
    """And fails if the agent has refused it."""
    from tradewind.connectors.ai import applying as connector  # noqa: PLC0415 - the command has the same name

    changes = first_settings()
    monkeypatch.setattr(connector, "apply_and_follow", lambda *_: (8, standing))
    command = group.click.command()(lambda: applying.apply_and_say(changes[:3], 7, None, None))  # type: ignore[arg-type]
    done = CliRunner().invoke(command)
    assert (done.exit_code, said in done.output) == (code, True), done.output
