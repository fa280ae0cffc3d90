"""Pieces of sentences that agents' and tasks' have in common."""

from orchestrad.core.states import FleetState
from orchestrad.core.tasklist import quoted
from orchestrad.core.world import Task, World


def plain(text: str) -> str:
    """The text on one line, without any character that would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def title(task: Task) -> str:
    """A task as people know it: its id when a person gave one, and its text."""
    text = quoted(plain(task.text))
    return f"{task.id} {text}" if task.given_id else f"{text} ({task.id})"


def listed(parts: list[str], most: int = 3) -> str:
    """A few of them by name, the rest counted: "a, b and c", "a, b, c and 4 more"."""
    if len(parts) > most + 1:
        return f"{', '.join(parts[:most])} and {len(parts) - most} more"
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def counted(number: int, noun: str) -> str:
    """ "1 task", "3 tasks"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def why_the_fleet_rests(world: World) -> str:
    """What keeps the whole fleet from beginning anything; "" nothing."""
    fleet = world.fleet
    if fleet.state is FleetState.ENDING:
        return f"the fleet is ending ({fleet.reason}), so nothing begins; it goes on with `orchestrad --config DIR`"
    if fleet.state is FleetState.ENDED:
        return "the fleet has ended; it goes on with `orchestrad --config DIR`"
    return ""


def sentence(*parts: str) -> str:
    """The parts joined to a sentence: the first two by a colon, the others by semicolons; empty ones left out."""
    head, *rest = (part.rstrip(". ") for part in parts if part)
    return f"{head}: {'; '.join(rest)}." if rest else f"{head}."
