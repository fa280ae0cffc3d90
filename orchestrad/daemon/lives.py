"""What a run is given: its directories filled, and the specification from which an engine starts it."""

from pathlib import PurePosixPath

from orchestrad.config.model import Config
from orchestrad.config.secret import Secret
from orchestrad.containers import claude
from orchestrad.containers.homes import Homes, Life
from orchestrad.containers.port import CannotStart, RunSpec
from orchestrad.core.actions import StartRun
from orchestrad.core.ids import run_token
from orchestrad.credentials.placing import Placement, placement
from orchestrad.credentials.port import Credentials
from orchestrad.daemon.logs import Redactor
from orchestrad.daemon.words import prompt_line
from orchestrad.store.port import Identity


class Lives:
    """Prepares runs. `port` is where agents reach the daemon; it is known once their listener is open."""

    def __init__(
        self, config: Config, *, identity: Identity, homes: Homes, pool: Credentials, redactor: Redactor, agent_host: str
    ) -> None:
        self._config = config
        self._identity = identity
        self._homes = homes
        self._pool = pool
        self._redactor = redactor
        self._host = agent_host
        self.port = 0

    async def prepare(self, action: StartRun, *, text: str | None, role: str) -> RunSpec:
        """Fills the agent's directories for this run. Raises CannotStart, Unreachable."""
        config, process = self._config, self._config.engine == "process"
        places = self._homes.places(action.agent)
        token = run_token(self._identity.secret, action.agent, action.epoch)
        self._redactor.know([token])
        life = Life(
            agent=action.agent,
            epoch=action.epoch,
            token=Secret(token),
            daemon=f"http://{self._host}:{self.port}",
            main=config.branch,
            branch=action.branch,
            base=action.base,
            nonce=action.nonce,
            text=text,
            model=config.model,
            repository_hooks=config.agent.repository_hooks,
            credential=await self._credential(action, places.key_file),
        )
        await self._homes.prepare(life)
        argv = claude.argv(
            config.agent.command if process else ("claude",),
            places,
            conversation=action.conversation,
            resume=action.resumes,
            prompt=prompt_line(action.nonce, str(places.text(action.nonce))) if action.nonce and text else None,
            settings=self._homes.settings(action.agent),
            role=role,
        )
        environment = claude.environment(places, agent=action.agent, workers=action.workers, daemon_host=self._host)
        return RunSpec(
            agent=action.agent,
            epoch=action.epoch,
            command=argv,
            environment=environment,
            working_directory=str(places.workspace),
            mounts=() if process else self._homes.mounts(action.agent),
            directory=self._homes.directory(action.agent),
        )

    async def _credential(self, action: StartRun, key_file: PurePosixPath) -> Placement:
        for file in await self._pool.read():
            if file.label == action.credential and file.credential is not None:
                return placement(file.credential, key_file)
        raise CannotStart(f"the credential {action.credential} is not there any more; put its file back, or add another")
