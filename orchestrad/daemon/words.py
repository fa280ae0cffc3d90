"""Prompts and roles: the shipped ones, or the user's own of the same name in the config directory."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

from orchestrad.core.ids import MANAGER, AgentName, Nonce
from orchestrad.core.world import Text

_SHIPPED = Path(__file__).parent.parent


class Words:
    """Makes texts from the prompts that were there when it was made."""

    def __init__(self, config_directory: Path) -> None:
        self._prompts = _read("prompts", config_directory)
        self._roles = _read("roles", config_directory)

    def say(self, text: Text) -> str:
        """The text, filled in; a `$name` that the fleet does not fill stays as it is."""
        return _filled(self._prompts[text.name], text.fields)

    def role(self, agent: AgentName, *, workers: int, main: str) -> str:
        """What the agent is told of its part, once for a whole conversation."""
        name = "manager" if agent == MANAGER else "worker"
        return _filled(self._roles[name], {"agent": agent, "workers": str(workers), "main": main})


def prompt_line(nonce: Nonce, place: str) -> str:
    """The one line that is typed, or given in argv; the text lies in a file."""
    return f"orchestrad {nonce}: read {place} and do what it says."


def _filled(template: Template, fields: Mapping[str, str]) -> str:
    text = template.safe_substitute(fields)
    while "\n\n\n" in text:  # where a field was empty
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"


def _read(kind: str, config_directory: Path) -> dict[str, Template]:
    found = {}
    for path in sorted((_SHIPPED / kind).glob("*.md")):
        own = config_directory / kind / path.name
        chosen = own if own.is_file() else path
        found[path.stem] = Template(chosen.read_text(encoding="utf-8", errors="replace"))
    return found
