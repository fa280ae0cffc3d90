"""The config in the core's own words and units."""

import os
from collections.abc import Sequence

from orchestrad.config.model import Config
from orchestrad.core.ids import CredentialLabel, micros
from orchestrad.core.world import Credential, Settings
from orchestrad.credentials.port import CredentialFile


def settings_of(config: Config, *, until_done: bool, problems: Sequence[str] = ()) -> Settings:
    """What the core needs of the config."""
    agent, restart = config.agent, config.agent.restart
    return Settings(
        workers=config.worker_count,
        manager=config.manager.enabled,
        low_water=config.manager.low_water,
        branch=config.branch,
        boots_at_once=max(1, os.cpu_count() or 1),
        max_reminders=agent.max_reminders,
        max_retries=agent.max_retries,
        retry_delay=micros(agent.retry_delay),
        waiting_timeout=micros(agent.waiting_timeout),
        attended_timeout=micros(agent.attended_timeout),
        restart_first=micros(restart.first),
        restart_factor=restart.factor,
        restart_max=micros(restart.max),
        restart_forget_after=micros(restart.forget_after),
        breaker=restart.breaker,
        resume=agent.resume,
        until_done=until_done,
        test_command=config.project.test_command or "",
        test_instructions=config.project.test_instructions or "",
        key_files=config.project.key_files,
        problems=tuple(problems),
    )


def credentials_of(files: Sequence[CredentialFile]) -> tuple[Credential, ...]:
    """The pool as the core knows it: labels and fingerprints, no secret."""
    return tuple(
        Credential(CredentialLabel(file.label), file.credential.kind.value, file.credential.secret.fingerprint)
        for file in files
        if file.credential is not None
    )
