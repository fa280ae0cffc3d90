"""Config directories for tests, as a user would lay them out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrad.config.load import load
from orchestrad.config.model import Config
from orchestrad.config.problems import ConfigErrors

KEY = "sk-ant-api03-" + "k" * 40
TOKEN = "sk-ant-oat01-" + "t" * 40


@dataclass
class ConfigDirectory:
    """A directory that is right as it stands; a test makes it wrong."""

    path: Path
    environ: dict[str, str]

    @property
    def file(self) -> Path:
        return self.path / "orchestrator.json"

    def settings(self, **keys: Any) -> None:
        """Writes the required keys and these; a key that is None is left out."""
        required = {"repositoryUrl": "https://example.org/you/project.git", "workerCount": 3}
        all_keys = {**required, "claudeConfigs": "credentials/*.json", **keys}
        self.file.write_text(json.dumps({key: value for key, value in all_keys.items() if value is not None}))

    def credential(self, name: str, content: str | dict[str, Any], mode: int = 0o600) -> Path:
        path = self.path / "credentials" / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(mode)
        return path

    def load(self) -> Config:
        return load(self.path, self.environ)

    def lines(self) -> list[str]:
        """The problems, as the user reads them."""
        try:
            self.load()
        except ConfigErrors as errors:
            return str(errors).splitlines()
        return []

    def line(self) -> str:
        """The only problem."""
        lines = self.lines()
        assert len(lines) == 1, lines
        return lines[0]


def a_config_directory(where: Path) -> ConfigDirectory:
    directory = ConfigDirectory(where / "orch", {"HOME": str(where / "home"), "PATH": "/usr/bin:/bin"})
    (directory.path / "credentials").mkdir(parents=True)
    directory.settings()
    directory.credential("pool-1.json", TOKEN)
    return directory
