"""Entities and events as JSON and back."""

from typing import Any

from pydantic import TypeAdapter

from orchestrad.core import events
from orchestrad.core.events import Event
from orchestrad.core.world import Agent, Credential, Entity, Fleet, HubRow, Note, Task

KINDS: dict[str, type[Any]] = {
    "fleet": Fleet,
    "agent": Agent,
    "task": Task,
    "credential": Credential,
    "note": Note,
    "hub": HubRow,
}
NAMES = {kind: name for name, kind in KINDS.items()}


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def dump(value: Entity | Event) -> str:
    """The JSON of an entity or event."""
    return _adapter(type(value)).dump_json(value).decode()


def load_entity(kind: str, body: str) -> Entity:
    """The entity of this row."""
    entity: Entity = _adapter(KINDS[kind]).validate_json(body)
    return entity


def load_event(kind: str, body: str) -> Event:
    """The event of this row."""
    event: Event = _adapter(getattr(events, kind)).validate_json(body)
    return event
