"""The settings as a page for people; `python -m orchestrad.config.reference` writes it."""

import json
from pathlib import Path
from typing import Final

from orchestrad.config.keys import Key, all_keys
from orchestrad.config.overrides import variable_of

FILE: Final = Path("docs/config.md")

_HEAD: Final = """\
# Settings

<!-- Written by `python -m orchestrad.config.reference` from orchestrad/config/model.py: change it there. -->

`orchestrator.json` in the config directory, which lies outside version control and is only read. Relative paths start at
that directory; `~` is your home, and `${VAR}` in any text is taken from the daemon's environment (`$${VAR}` is the text
itself). A duration is a number of seconds or a text such as "90s", "5m", "1h30m".

Each key can be overridden by a variable: `ORCHESTRAD_` and the key in capitals, with `__` between levels, e.g.
`{example}` for `agent.restart.max`. Its value is a text where the key takes one, else JSON; an empty one is null.

A key that is not in use yet is accepted and has no effect; "default only" means that this version acts as the default says.

| key | type | default | in use | what it does |
|---|---|---|---|---|
"""


def as_text() -> str:
    """The whole page."""
    head = _HEAD.replace("{example}", variable_of(all_keys()["agent.restart.max"]))
    return head + "".join(f"{_row(key)}\n" for key in all_keys().values())


def _row(key: Key) -> str:
    if key.required:
        default = "required"
    elif key.described.get("default") is None:
        default = "none" if "default" in key.described else "see right"
    else:
        default = f"`{json.dumps(key.described['default'], ensure_ascii=False)}`"
    cells = (f"`{key.name}`", key.expected, default, key.in_use.value, key.described.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    FILE.write_text(as_text())
