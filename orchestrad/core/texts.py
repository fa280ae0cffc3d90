"""What is put before an agent, as data: the name of a prompt and what is filled in."""

from orchestrad.core.ids import derive
from orchestrad.core.likeness import plain
from orchestrad.core.world import Agent, Delivery, DeliveryKind, Task, Text, World

NO_BODY = "(The item says no more than its title.)"


def of_delivery(world: World, agent: Agent, delivery: Delivery) -> Text:
    """The text of a delivery as things stand now."""
    task = world.tasks.get(delivery.task) if delivery.task else None
    match delivery.kind:
        case DeliveryKind.TASK if task is not None:
            return _of_task(world, task)
        case DeliveryKind.DIGEST:
            return _digest(world, delivery)
    about = f"Your task is still: {task.text}" if task else "Take up again what you were doing."
    return Text("continue", {"about": about})


def of_edit(task: Task) -> Text:
    """What the worker of a task is told when the item reads otherwise than when it was given out."""
    return Text("edited", {"title": task.text, "body": task.body or NO_BODY, "told": said_by(task)})


def said_by(task: Task) -> str:
    """A short sign of what the item says; markup and blanks say nothing."""
    return derive(plain(task.text), " ".join(task.body.split()), digits=16)


def _of_task(world: World, task: Task) -> Text:
    settings = world.settings
    attempt = task.attempt
    extras = []
    if task.failures:
        extras.append(f"An earlier attempt did not succeed: {task.failure}")
    if settings.test_command:
        extras.append(f"Run the tests with: {settings.test_command}")
    if settings.test_instructions:
        extras.append(settings.test_instructions)
    if settings.key_files:
        extras.append("Files worth reading first: " + ", ".join(settings.key_files))
    return Text(
        "task",
        {
            "title": task.text,
            "body": task.body or NO_BODY,
            "list": task.list,
            "branch": attempt.branch if attempt else "",
            "main": settings.branch,
            "role": task.role or "",
            "extras": "\n".join(extras),
        },
    )


def _digest(world: World, delivery: Delivery) -> Text:
    notes = [world.notes[name] for name in delivery.notes if name in world.notes]
    return Text(
        "digest",
        {
            "notes": "\n".join(f"- {note.text}" for note in notes),
            "workers": str(world.settings.workers),
            "main": world.settings.branch,
        },
    )
