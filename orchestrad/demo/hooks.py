"""Finds the hooks in Claude Code's settings files and fires them as the CLI does.

Settings are read anew at each firing, since an edited URL applies without a restart; `--settings FILE` is read once.
Source of what is imitated: observations of the CLI 2.1.329.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrad.demo.loop import Command, Job

MANAGED = Path("/etc/claude-code/managed-settings.json")
_DEFAULT_TIMEOUT = 60.0  # seconds, where a hook names none

Settings = Mapping[str, Any]


class Verdict(NamedTuple):
    """What the hooks of one event said together."""

    blocked: bool = False
    reason: str = ""
    failure: str = ""  # why a hook could not be asked; the CLI goes on as if it had said nothing


class HttpHook(Job):
    """POSTs the payload; anything but a JSON answer of a 2xx is a failure."""

    def __init__(self, spec: Settings, payload: str, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._url, self._payload = str(spec.get("url", "")), payload
        self._timeout = float(spec.get("timeout", _DEFAULT_TIMEOUT))
        allowed = spec.get("allowedEnvVars", ())
        values = {name: environment.get(name, "") for name in allowed}
        self._headers = {
            name: re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: values.get(m[1] or m[2], ""), str(value))
            for name, value in spec.get("headers", {}).items()
        }
        self.answer: Settings = {}
        self.failure = ""

    def work(self) -> None:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415  # 40 ms that the start need not pay
        from urllib.parse import urlsplit  # noqa: PLC0415  # the same

        url = urlsplit(self._url)
        make = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = make(url.hostname or "", url.port, timeout=self._timeout)
        headers = {"content-type": "application/json", "user-agent": "axios/scripted"} | self._headers
        try:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", path, self._payload.encode(errors="replace"), headers)
            response = connection.getresponse()
            body = response.read()
            if not 200 <= response.status < 300:
                self.failure = f"{self._url} answered {response.status}"
            elif body.strip():
                self.answer, self.failure = _read_answer(body.decode(errors="replace"))
        except (OSError, HTTPException, ValueError) as reason:
            self.failure = f"{self._url}: {reason}"
        finally:
            connection.close()


class CommandHook(Command):
    """Runs a shell command with the payload on stdin; exit 2 blocks with what it wrote to stderr."""

    def __init__(self, spec: Settings, payload: str, environment: Mapping[str, str]) -> None:
        argv = ["/bin/sh", "-c", str(spec.get("command", ""))]
        timeout = float(spec.get("timeout", _DEFAULT_TIMEOUT))
        super().__init__(argv, timeout=timeout, stdin=payload, environment=environment)

    @property
    def answer(self) -> Settings:
        if self.exit_code == 2:
            return {"decision": "block", "reason": self.stderr.strip()}
        return _read_answer(self.stdout)[0] if self.exit_code == 0 and self.stdout.lstrip().startswith("{") else {}

    @property
    def failure(self) -> str:
        if self.timed_out:
            return f"no answer within {self.timeout:g} s"
        return f"exit status {self.exit_code}: {self.stderr.strip()[:200]}" if self.exit_code not in (0, 2) else ""


Hook = HttpHook | CommandHook


class Hooks:
    """The hooks in force, by the CLI's rules of who may switch off whom."""

    def __init__(self, given: Settings, *, home: Path, cwd: Path, managed: Path = MANAGED) -> None:
        self._given, self._managed = given, managed
        self._foreign = (
            cwd / ".claude" / "settings.local.json",
            cwd / ".claude" / "settings.json",
            home / ".claude" / "settings.json",
        )

    def layers(self) -> list[Settings]:
        """All settings, the strongest first: managed, given on the command line, the repository's, the home's."""
        return [read_settings(self._managed), self._given, *map(read_settings, self._foreign)]

    def setting(self, name: str) -> Any:
        """The value of the strongest file that has it; None where none has."""
        return next((layer[name] for layer in self.layers() if name in layer), None)

    def environment(self) -> dict[str, str]:
        """The variables of this process with the `env` of all settings."""
        merged = dict(os.environ)
        for layer in reversed(self.layers()):
            merged.update({str(k): str(v) for k, v in layer.get("env", {}).items()})
        return merged

    def jobs(self, payload: Settings, *, matches: str = "") -> list[Hook]:
        """One job for each hook of the payload's event whose matcher fits."""
        managed, *others = self.layers()
        if managed.get("disableAllHooks"):
            return []
        switched_off = next((layer["disableAllHooks"] for layer in others if "disableAllHooks" in layer), False)
        layers = [managed] if switched_off or managed.get("allowManagedHooksOnly") else [managed, *others]
        event = str(payload["hook_event_name"])
        text = json.dumps(payload)
        environment = os.environ | {"CLAUDE_PROJECT_DIR": str(payload["cwd"])}
        jobs: list[Hook] = []
        for layer in layers:
            for group in layer.get("hooks", {}).get(event, ()):
                matcher = group.get("matcher", "")
                if matches and matcher not in ("", "*") and not re.fullmatch(matcher, matches):
                    continue
                for spec in group.get("hooks", ()):
                    if spec.get("type") == "command":
                        jobs.append(CommandHook(spec, text, environment))
                    elif spec.get("type") == "http" and event != "SessionStart":  # the CLI never fires that one by HTTP
                        jobs.append(HttpHook(spec, text, environment))
        return jobs


def verdict(jobs: Sequence[Hook]) -> Verdict:
    """The first block counts; a hook that failed counts as silent, and is told."""
    failure = next((job.failure for job in jobs if job.failure), "")
    for answer in (job.answer for job in jobs):
        specific = answer.get("hookSpecificOutput")
        if isinstance(specific, dict) and specific.get("permissionDecision") == "deny":
            return Verdict(True, str(specific.get("permissionDecisionReason", "")), failure)
        if answer.get("decision") == "block":
            return Verdict(True, str(answer.get("reason") or "Blocked by hook"), failure)
    return Verdict(failure=failure)


def read_settings(path: Path) -> Settings:
    """A settings file; one that is absent or no JSON object is empty, as for the CLI."""
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _read_answer(text: str) -> tuple[Settings, str]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}, f"the answer is no JSON: {text[:80]!r}"
    return (answer, "") if isinstance(answer, dict) else ({}, "the answer is no JSON object")
