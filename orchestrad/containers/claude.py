"""How Claude Code is told to work unattended and to report each turn: settings, home, environment, argv; pure.

Source: observations of the CLI 2.1.329, and docs/agent-side.md for what the scripts are called with.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

from orchestrad.config.secret import Secret
from orchestrad.core.ids import AgentName, ConversationId, worker_number

DAY: Final = 86_400
# Seconds that the CLI grants each script: more than the script itself insists, so that it is the script that gives up.
SCRIPT_TIMEOUTS: Final = {"SessionStart": 30, "UserPromptSubmit": 5, "Stop": DAY, "StopFailure": DAY, "SessionEnd": 15}
TOLD_BY_HTTP: Final = ("PreToolUse", "PostToolUse", "Notification", "ConfigChange", "PreCompact")
HTTP_TIMEOUT: Final = 2  # seconds; a tool waits for its hook, and losing one changes no decision
STATUS_INTERVAL: Final = 30  # seconds between two beats of the status line while the agent is idle
KEY_ENDING: Final = 20  # characters of an API key by which the CLI remembers that it was approved


class Placement(Protocol):
    """What a credential needs written: `key` into `key_file`, `settings()` (secrets in the clear) into settings."""

    @property
    def key(self) -> Secret | None: ...

    def settings(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of docs/agent-side.md, as the agent sees them."""

    home: PurePosixPath
    workspace: PurePosixPath
    policy: PurePosixPath
    run: PurePosixPath
    hooks: PurePosixPath
    objects: PurePosixPath

    @property
    def key_file(self) -> PurePosixPath:
        """Where an API key lies."""
        return self.run / "api-key"

    @property
    def policy_file(self) -> PurePosixPath:
        """The settings that the agent can't change."""
        return self.policy / "managed-settings.json"

    def text(self, nonce: str) -> PurePosixPath:
        """Where the text of a delivery lies."""
        return self.run / "texts" / nonce


IN_CONTAINER: Final = Places(
    home=PurePosixPath("/home/agent"),
    workspace=PurePosixPath("/workspace"),
    policy=PurePosixPath("/etc/claude-code"),
    run=PurePosixPath("/run/orchestrad"),
    hooks=PurePosixPath("/opt/orchestrad"),
    objects=PurePosixPath("/hub/objects"),
)


def policy(
    places: Places, *, daemon: str, token: Secret, model: str | None = None, repository_hooks: bool = True
) -> dict[str, Any]:
    """The settings that a run begins with, without its credential: hooks, status line, what may not be asked.

    They hold the run's token in the clear: write them, don't log them.
    """
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    hooks = {
        **{event: _command(f"{_script(places, 'hook')} {event}", timeout) for event, timeout in SCRIPT_TIMEOUTS.items()},
        **{event: _http(f"{daemon}/event", headers) for event in TOLD_BY_HTTP},
    }
    settings: dict[str, Any] = {
        "hooks": hooks,
        "statusLine": {"type": "command", "command": _script(places, "statusline"), "refreshInterval": STATUS_INTERVAL},
        "permissions": {"deny": ["AskUserQuestion"]},  # its dialog would wait for a person, and no hook would tell
        "skipDangerousModePermissionPrompt": True,
        "disableAllHooks": False,
        "prefersReducedMotion": True,  # a spinner costs 4 % of a core per agent at work, and hand-overs wait for cores
    }
    if not repository_hooks:
        settings["allowManagedHooksOnly"] = True
    if model is not None:
        settings["model"] = model
    return settings


def with_credential(settings: Mapping[str, Any], credential: Placement | None) -> dict[str, Any]:
    """Settings in which this credential stands in the place of any other."""
    others = {key: value for key, value in settings.items() if key not in {"env", "apiKeyHelper"}}
    return others | (credential.settings() if credential is not None else {})


def home(found: Mapping[str, Any], *, workspace: PurePosixPath, approved: Sequence[Secret] = ()) -> dict[str, Any]:
    """`.claude.json` as the CLI left it, with the answers to all that it would ask at a start."""
    projects = _mapping(found.get("projects"))
    project = _mapping(projects.get(str(workspace)))
    answers = _mapping(found.get("customApiKeyResponses"))
    known = [ending for ending in answers.get("approved") or () if isinstance(ending, str)]
    endings = [key.reveal()[-KEY_ENDING:] for key in approved]
    return {
        **found,
        "hasCompletedOnboarding": True,
        "projects": {**projects, str(workspace): {**project, "hasTrustDialogAccepted": True}},
        "customApiKeyResponses": {
            **answers,
            "approved": list(dict.fromkeys([*known, *endings])),
            "rejected": [ending for ending in answers.get("rejected") or () if ending not in endings],
        },
    }


def environment(places: Places, *, agent: AgentName, workers: int, daemon_host: str) -> dict[str, str]:
    """The variables of an agent's processes; nothing in them is secret."""
    direct = f"{daemon_host},localhost,127.0.0.1"  # where a proxy is set, the daemon is still asked directly
    return {
        "AGENT_NAME": agent,
        "WORKER_ID": str(worker_number(agent) or 0),
        "TOTAL_WORKERS": str(workers),
        "ORCHESTRAD_RUN": str(places.run),
        "ORCHESTRAD_HOOKS": str(places.hooks),
        "GIT_CONFIG_GLOBAL": str(places.run / "gitconfig"),
        "HOME": str(places.home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "NO_PROXY": direct,
        "no_proxy": direct,
        "IS_SANDBOX": "1",  # else the CLI refuses to run unattended as root
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
        "CLAUDE_CODE_STOP_HOOK_BLOCK_CAP": "0",  # else the ninth task handed over without tool use is dropped
        "CLAUDE_CODE_MAX_RETRIES": "2",  # by default a failing API is hidden for three minutes
    }


def argv(
    command: Sequence[str],
    places: Places,
    *,
    conversation: ConversationId,
    resume: bool,
    prompt: str | None = None,
    settings: PurePosixPath | None = None,
    role: str | None = None,
) -> tuple[str, ...]:
    """What a run executes: the entrypoint, then the CLI. `settings`: where there is no directory for managed ones."""
    return (
        str(places.hooks / "entrypoint"),
        *command,
        "--dangerously-skip-permissions",
        *(("--settings", str(settings)) if settings is not None else ()),
        *(("--append-system-prompt", role) if role else ()),
        "--resume" if resume else "--session-id",
        conversation,
        *((prompt,) if prompt else ()),
    )


def _script(places: Places, name: str) -> str:
    return shlex.quote(str(places.hooks / name))


def _command(command: str, timeout: int) -> list[dict[str, Any]]:
    # `exec`, since the CLI starts a shell for it: one process less in the way of every Stop.
    return [{"hooks": [{"type": "command", "command": f"exec {command}", "timeout": timeout}]}]


def _http(url: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"hooks": [{"type": "http", "url": url, "timeout": HTTP_TIMEOUT, "headers": dict(headers)}]}]


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
