from pathlib import Path

import pytest

from tests.support.config_directory import ConfigDirectory, a_config_directory


@pytest.fixture
def orch(tmp_path: Path) -> ConfigDirectory:
    return a_config_directory(tmp_path)
