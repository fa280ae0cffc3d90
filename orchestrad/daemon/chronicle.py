"""Events as log lines: the life of agents, tasks and credentials, as it is committed."""

import re
from typing import Final

import structlog

from orchestrad.core import events as e
from orchestrad.core.events import Event
from orchestrad.core.world import World

log = structlog.get_logger("orchestrad.fleet")

QUIET: Final = (
    e.PostTaken,
    e.TaskEdited,
    e.BranchRead,
    e.UpstreamFetched,
    e.CommitMade,
    e.NoteDropped,
    e.DeliverySent,
    e.PromptTaken,
)
TROUBLE: Final = (e.TurnBroken, e.ConflictFound, e.UpstreamTrouble, e.TaskBlocked)


def tell(world: World, events: list[Event]) -> None:
    """A line per event: INFO what a person may want to follow, WARNING what went wrong, DEBUG the rest."""
    for event in events:
        fields: dict[str, object] = {}
        agent, task = getattr(event, "agent", None), getattr(event, "task", None)
        if agent:
            fields["agent"] = agent
        if task:
            fields["task"] = task
            known = world.tasks.get(task)
            if known:
                fields["title"] = known.text
        if isinstance(event, e.TaskAssigned):
            fields["agent"] = event.attempt.agent
        if event.reason:
            fields["why"] = event.reason
        say = log.debug if isinstance(event, QUIET) else log.warning if isinstance(event, TROUBLE) else log.info
        say(_verb(type(event).__name__), **fields)


def _verb(name: str) -> str:
    first, *rest = re.findall(r"[A-Z][a-z]*", name)
    return f"{first.lower()}.{'_'.join(rest).lower()}" if rest else first.lower()
