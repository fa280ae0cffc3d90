"""What is ours on a tmux server: how a session, a window and a pane are marked and dressed, and how they are found again."""

import re
from dataclasses import dataclass
from typing import Final

from orchestrad.core.ids import FleetId
from orchestrad.terminals.text import single_line
from orchestrad.terminals.tmux_command import Command

HISTORY_LINES: Final = 20_000  # a night's work to scroll back in
LONGEST_TITLE: Final = 80


@dataclass(frozen=True, slots=True)
class Pane:
    """The one pane that shows an agent; `program` is a process id, which tells one program in it from the next."""

    name: str
    id: str
    program: str
    dead: bool
    session: str
    session_is_ours: bool


class Marks:
    """The marks of one fleet. Nothing else of a session is trusted: a name can be anybody's, and a person may rename or move."""

    def __init__(self, fleet: FleetId) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", fleet):
            raise ValueError(f"fleet id {fleet!r} is not made of letters, digits, _ and -")
        self._fleet = fleet
        self.died = f"orchestrad-{fleet}-died"  # a channel of `wait-for`

    def of_session(self, target: str, title: str) -> tuple[Command, ...]:
        options = {
            "@orchestrad": self._fleet,
            "@orchestrad-title": single_line(title, LONGEST_TITLE).replace("#", "##"),  # drawn as #; never read as a format
            "history-limit": str(HISTORY_LINES),
            "destroy-unattached": "off",  # nobody need be attached, whatever the user's own sessions do
            "status": "on",
            "status-left": " #{@orchestrad-title} | ",
            "status-left-length": str(LONGEST_TITLE + 4),
            "status-right": " detach: #{prefix} d ",
            "status-right-length": "40",
        }
        return tuple(("set-option", "-q", "-t", target, option, value) for option, value in options.items())

    def of_pane(self, target: str, name: str) -> tuple[Command, ...]:
        window = {"automatic-rename": "off", "window-size": "latest"}
        pane = {"@orchestrad-terminal": f"{self._fleet}/{name}", "remain-on-exit": "on", "allow-rename": "off"}
        return (
            *(("set-option", "-q", "-w", "-t", target, option, value) for option, value in window.items()),
            *(("set-option", "-q", "-p", "-t", target, option, value) for option, value in pane.items()),
            ("set-hook", "-p", "-t", target, "pane-died", f"wait-for -S {self.died}"),
        )

    def list_panes(self, name: str = "*") -> Command:
        fields = "pane #{@orchestrad-terminal} #{pane_id} #{pane_pid} #{pane_dead} #{session_id} #{@orchestrad}"
        return ("list-panes", "-a", "-f", f"#{{m:{self._fleet}/{name},#{{@orchestrad-terminal}}}}", "-F", fields)

    def panes(self, said: str) -> tuple[Pane, ...]:
        seen = []
        for line in said.splitlines():
            match line.split(" "):
                case ["pane", mark, id_, pid, dead, session, fleet]:
                    name = mark.removeprefix(f"{self._fleet}/")
                    seen.append(Pane(name, id_, pid, dead == "1", session, fleet == self._fleet))
        return tuple(seen)
