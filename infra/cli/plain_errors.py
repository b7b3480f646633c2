"""Errors that say what to do are shown as they are, without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of feeds, topics and settings into messages; the command ends with code 1."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        from pydantic import ValidationError  # noqa: PLC0415 - help comes at once

        from tradewind.connectors.feeds.feed import FeedError  # noqa: PLC0415
        from tradewind.connectors.kafka.errors import StreamError  # noqa: PLC0415
        from tradewind.connectors.settings import ServiceNotConfigured  # noqa: PLC0415
        from tradewind.topics import UnknownTopic  # noqa: PLC0415

        try:
            return command(*args, **kwargs)
        except (FeedError, StreamError, ServiceNotConfigured, UnknownTopic) as error:
            raise click.ClickException(str(error)) from error
        except ValidationError as error:
            raise click.ClickException(f"settings: {error}") from error

    return told
