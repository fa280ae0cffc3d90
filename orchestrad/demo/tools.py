"""The tools that the scripted agent uses: Bash as a job, the file tools at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrad.demo.loop import Command

_BASH_TIMEOUT = 120.0  # seconds, the CLI's default


class Done(NamedTuple):
    """What a tool brought: the text for the model, and the response as the PostToolUse hook shows it."""

    text: str
    response: dict[str, Any]
    failed: bool = False


def bash(command: str, settings_environment: Mapping[str, str], *, timeout: float = _BASH_TIMEOUT) -> Command:
    """The job that runs a command, with `orch` on its PATH."""
    environment = {**settings_environment, "CLAUDECODE": "1", "GIT_EDITOR": "true"}
    environment.pop("CLAUDE_CODE_OAUTH_TOKEN", None)  # the CLI keeps this one from its tools
    if hooks := environment.get("ORCHESTRAD_HOOKS"):
        environment["PATH"] = f"{hooks}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return Command(["/bin/sh", "-c", command], timeout=timeout, environment=environment)


def ran(job: Command) -> Done:
    """What an ended Bash job brought."""
    text = "\n".join(part.rstrip("\n") for part in (job.stdout, job.stderr) if part.strip())
    if job.timed_out:
        text += f"\nCommand timed out after {job.timeout:g} s"
    elif job.exit_code:
        text = f"Exit code {job.exit_code}\n{text}".rstrip()
    response = {
        "stdout": job.stdout,
        "stderr": job.stderr,
        "interrupted": job.timed_out,
        "isImage": False,
        "noOutputExpected": False,
    }
    return Done(text, response, failed=job.exit_code != 0)


def use_file(tool: str, arguments: Mapping[str, str]) -> Done:
    """Read, Write or Edit; what goes wrong is an answer to the model."""
    path = Path(arguments["file_path"])
    try:
        match tool:
            case "Read":
                text = path.read_text(errors="replace")
                return Done(text, {"type": "text", "file": {"filePath": str(path), "content": text}})
            case "Write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(arguments["content"])
                return Done(f"File created successfully at: {path}", {"type": "create", "filePath": str(path)})
            case "Edit":
                text = path.read_text()
                if text.count(arguments["old_string"]) != 1:
                    return _failed(f"the text to replace is in {path} {text.count(arguments['old_string'])} times, not once")
                path.write_text(text.replace(arguments["old_string"], arguments["new_string"]))
                return Done(f"The file {path} has been updated.", {"filePath": str(path)})
            case _:
                return _failed(f"there is no tool {tool}")
    except (OSError, UnicodeError) as reason:
        return _failed(str(reason))


def _failed(text: str) -> Done:
    return Done(f"Error: {text}", {"error": text}, failed=True)
