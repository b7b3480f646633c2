"""Models are values: nothing in them can be assigned, and nothing in them is a container that can be changed.

State is made of them. One that was changed in place would survive the abort of its transaction, and a restore would
give another.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass, replace
from decimal import Decimal
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from tradewind.schemas.ai import (
    AiAttempt,
    AiOpenState,
    AiPricesState,
    AiProvider,
    AiRequest,
    AiResponse,
    AiRoute,
    AiTenantState,
)
from tradewind.schemas.billing import UsageSourceState, UsageTenantState
from tradewind.schemas.codec import MODELS
from tradewind.schemas.event import Event
from tradewind.schemas.market import BarsState
from tradewind.schemas.runtime import DeadLetter, JournalEntry, StateSnapshot, TaskPosition
from tradewind.schemas.signals import DeploymentCommand, DeploymentRefused, QuestionsState
from tradewind.schemas.tenancy import Tenant, TenantCommand, TenantRefused

PLAIN = {str, int, float, bool, bytes, Decimal, NoneType}
OF_RECORDS = {
    *(BarsState, DeadLetter, JournalEntry, StateSnapshot, TaskPosition),
    *(Tenant, TenantCommand, TenantRefused, DeploymentCommand, DeploymentRefused),
    *(AiAttempt, AiProvider, AiRequest, AiResponse, AiRoute),
    *(AiOpenState, AiPricesState, AiTenantState, UsageSourceState, UsageTenantState, QuestionsState),
}
"""Models with records in a field, which are dictionaries when they are decoded.

Their type is `Mapping`, which mypy lets nobody assign to; no other field may be one. Processors keep `BarsState`,
`Tenant`, and those of AI and usage of them, and the law of cuts checks of every processor that it changes no value
that it was given (`processing.result`). Wrapped in a `MappingProxyType` they could be neither copied nor pickled.
"""


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_is_frozen(model: type[Event]) -> None:
    """No field can be assigned or deleted, and there is no place for others."""
    assert is_dataclass(model)
    event = object.__new__(model)
    for name in (*(field.name for field in fields(model)), "other"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(event, name, None)
        with pytest.raises((FrozenInstanceError, TypeError)):
            delattr(event, name)
    assert not hasattr(event, "__dict__")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_model_is_made_as_its_dataclass_says(model: type[Event]) -> None:
    """By keywords alone, with the same defaults; what is made is frozen, and can be copied and pickled."""
    made_by = model.__init__
    assert signature(made_by) == signature(made_by.__wrapped__)  # type: ignore[attr-defined]
    given = {field.name: field.name for field in fields(model) if field.default is MISSING}  # type: ignore[arg-type]
    event = model(**given)
    assert type(event) is model
    for field in fields(model):  # type: ignore[arg-type]
        assert getattr(event, field.name) == given.get(field.name, field.default)
    for field in fields(model):  # type: ignore[arg-type]
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, None)
    assert pickle.loads(pickle.dumps(event)) == event == copy.copy(event)
    assert replace(event) == event
    with pytest.raises(TypeError, match="missing"):
        model()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_no_field_is_a_container_that_can_be_changed(model: type[Event]) -> None:
    """Neither a list nor a dict nor a set, at any depth; records are read-only to the type checker, and named here."""
    hints = get_type_hints(model)
    kinds = {kind for field in fields(model) for kind in parts(hints[field.name])}  # type: ignore[arg-type]
    assert kinds <= {*PLAIN, tuple, Mapping}
    assert (Mapping in kinds) == (model in OF_RECORDS)


def parts(hint: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of, but for what says of them that they are alternatives."""
    origin = get_origin(hint)
    if origin is Literal:
        yield from map(type, get_args(hint))
        return
    if origin is None:
        yield hint
    elif origin not in (Union, UnionType):
        yield origin
    for inner in get_args(hint):
        if inner is not Ellipsis:
            yield from parts(inner)
