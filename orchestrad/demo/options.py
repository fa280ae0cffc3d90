"""The scripted agent's arguments, and what must stand in its home before it may start unattended."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrad.demo.hooks import read_settings


class WrongUsage(Exception):
    """The CLI would exit with status 1, or stop at a dialog that nobody answers."""


class Options(NamedTuple):
    settings: Mapping[str, Any] = {}
    session_id: str = ""
    resume: str = ""
    prompt: str = ""
    bypass: bool = False
    version: bool = False


def parse(argv: list[str]) -> Options:
    """Raises WrongUsage for what the CLI doesn't know."""
    values: dict[str, Any] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        match name:
            case "--version" | "-v":
                values["version"] = True
            case "--dangerously-skip-permissions":
                values["bypass"] = True
            case "--settings" | "--session-id" | "--resume" | "--model" | "--permission-mode" | "--append-system-prompt":
                if not equals and not rest:
                    raise WrongUsage(f"error: option '{name}' argument missing")
                values[name[2:].replace("-", "_")] = value if equals else rest.pop(0)
            case "--":
                values["prompt"] = " ".join(rest)
                break
            case _ if word.startswith("-"):
                raise WrongUsage(f"error: unknown option '{word}'")
            case _:
                values["prompt"] = word
    for unused in ("model", "permission_mode", "append_system_prompt"):
        values.pop(unused, None)
    if "settings" in values:
        values["settings"] = _given_settings(values["settings"])
    return Options(**values)


def check_home(options: Options, home: Path, cwd: Path, *, managed: Mapping[str, Any]) -> None:
    """Raises WrongUsage with what is missing for an unattended start.

    The CLI would show a dialog for most of these and wait for ever; to say what is missing is kinder.
    """
    state = read_settings(home / ".claude.json")
    if not state.get("hasCompletedOnboarding"):
        raise WrongUsage(f"Unable to connect to Anthropic services: no hasCompletedOnboarding in {home / '.claude.json'}")
    if not state.get("projects", {}).get(str(cwd), {}).get("hasTrustDialogAccepted"):
        raise WrongUsage(f"Accessing workspace: {cwd} is not trusted; no hasTrustDialogAccepted in {home / '.claude.json'}")
    if not options.bypass:
        return
    if os.geteuid() == 0 and os.environ.get("IS_SANDBOX") != "1":
        raise WrongUsage("--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons")
    layers = (managed, options.settings, read_settings(home / ".claude" / "settings.json"))
    if not any(layer.get("skipDangerousModePermissionPrompt") for layer in layers):
        raise WrongUsage("Bypass permissions mode was not accepted: no skipDangerousModePermissionPrompt in the settings")


def _given_settings(value: str) -> Mapping[str, Any]:
    """`--settings` takes a file or the JSON itself."""
    if not value.lstrip().startswith("{") and not Path(value).is_file():
        raise WrongUsage(f"Error processing settings: Settings file not found: {value}")
    try:
        settings = json.loads(value if value.lstrip().startswith("{") else Path(value).read_bytes())
    except ValueError as reason:
        raise WrongUsage(f"Error processing settings: {value} is no JSON: {reason}") from reason
    return settings if isinstance(settings, dict) else {}
