"""The page of signals is what the tables say now."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_of_signals_is_current() -> None:
    program = [sys.executable, str(ROOT / "script/signals-page")]

    page = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert page == (ROOT / "docs/signals.md").read_text(), "write it anew: .venv/bin/python script/signals-page > docs/signals.md"
