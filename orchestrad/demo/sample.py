"""The sample project's files: a small tool that counts things in text, a direction, and lists of work for its agents.

Each task carries the shell script that the scripted agent runs (see `task`). Every script touches files of its own, but
for two: the first tasks of workers 1 and 2 write to the same place of the changelog, so that there is a conflict to settle.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

FEATURES_EACH: Final = 2
QUESTION: Final = "Should an empty text have one line or none?"

FILES: Final[Mapping[str, str]] = {
    ".gitignore": "__pycache__/\n",
    "README.md": """# tally

Counts things in text: `python -m tally FILE` prints a line per counter.

Each counter is a module in `src/tally/counters/` with a function `count(text)`; new ones are found by themselves.
Tests: `PYTHONPATH=src python3 -m unittest discover -s tests`.
""",
    "CHANGELOG.md": "# Changes\n\n## Unreleased\n\n- The first counter: words.\n",
    "src/tally/__init__.py": '"""Counts things in text."""\n',
    "src/tally/__main__.py": '''"""`python -m tally FILE`: a line per counter."""

import importlib
import pkgutil
import sys
from pathlib import Path

from tally import counters

text = Path(sys.argv[1]).read_text()
for module in pkgutil.iter_modules(counters.__path__):
    counter = importlib.import_module(f"tally.counters.{module.name}")
    print(f"{counter.count(text):8} {module.name}")
''',
    "src/tally/counters/__init__.py": '"""The counters, one per module."""\n',
    "src/tally/counters/words.py": '''"""Words, as far as blanks tell."""


def count(text: str) -> int:
    return len(text.split())
''',
    "tests/test_words.py": """import unittest

from tally.counters.words import count


class TestWords(unittest.TestCase):
    def test_words_are_separated_by_blanks(self):
        self.assertEqual(count("to be  or\\nnot"), 4)
""",
}


class Feature(NamedTuple):
    name: str
    meaning: str
    expression: str
    sample: str
    expected: int


_FEATURES: Final = (
    Feature("characters", "Characters, line ends included", "len(text)", "one\\n", 4),
    Feature("lines", "Lines that are not empty", "sum(1 for line in text.splitlines() if line)", "a\\n\\nb", 2),
    Feature("unique", "Different words", "len(set(text.lower().split()))", "The the cat", 2),
    Feature("longest", "Characters of the longest word", "max(map(len, text.split()), default=0)", "a tall tree", 4),
    Feature("digits", "Digits", "sum(c.isdigit() for c in text)", "in 1999", 4),
    Feature("vowels", "Vowels of English", "sum(c in 'aeiou' for c in text.lower())", "An oak", 3),
)


def feature(number: int) -> Feature:
    """A counter to be written, counted from 0; there is no last one."""
    if number < len(_FEATURES):
        return _FEATURES[number]
    size = number - len(_FEATURES) + 2
    expression = f"sum(len(word) >= {size} for word in text.split())"
    return Feature(f"words_of_{size}", f"Words of {size} letters or more", expression, f"a {'b' * size}", 1)


def list_items(worker: int, workers: int) -> str:
    """The items of one worker's list, in Markdown."""
    first = (worker - 1) * FEATURES_EACH
    features = [feature(first + n) for n in range(FEATURES_EACH)]
    items = []
    if worker <= 2 <= workers:
        items.append(_announce(features[0]))
    items += [_write(one) for one in features]
    items.append(_describe(features[-1]) if worker != workers else _explain())
    return "\n".join(items)


def direction(workers: int, *, ready: int) -> str:
    """PROJECT_DIRECTION.md; workers up to `ready` have their list already."""
    plan = "\n".join(
        f"### Worker {n}\n\n````tasks worker-{n}\n{list_items(n, workers)}````\n" for n in range(ready + 1, workers + 1)
    )
    return f"""# Where this project goes

tally shall count whatever a writer may want to know of a text. It stays small: no dependencies, a module and a test for
each counter, a line in the changelog for what people notice.

## How the work is cut

Each worker adds {FEATURES_EACH} counters of its own, tests them, and writes down what a user should know. Counters do not know each
other, so nobody waits for anybody; only the changelog is everybody's.

## Plan

Workers whose list is in the repository begin with that. The others' lists are still to be written, as planned here.

{plan}"""


def _item(title: str, body: str, script: str) -> str:
    text = f"{body}\n\n```sh\n{script}```\n"
    nested = "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())
    return f"- [ ] {title}\n\n{nested}"


def _write(one: Feature) -> str:
    script = f'''cat > src/tally/counters/{one.name}.py <<'END'
"""{one.meaning}."""


def count(text: str) -> int:
    return {one.expression}
END
cat > tests/test_{one.name}.py <<'END'
import unittest

from tally.counters.{one.name} import count


class Test{one.name.title().replace("_", "")}(unittest.TestCase):
    def test_a_sample(self):
        self.assertEqual(count("{one.sample}"), {one.expected})

    def test_nothing(self):
        self.assertEqual(count(""), 0)
END
PYTHONPATH=src python3 -m unittest discover -q -s tests -p test_{one.name}.py
'''
    return _item(f"Count {one.name.replace('_', ' ')}", f"{one.meaning}: a counter and its test.", script)


def _announce(one: Feature) -> str:
    body = f"Users should read of the coming counter of {one.name} in the changelog.\n\n<!-- act: pause 1 -->"
    return _item(f"Announce the counter of {one.name}", body, f"echo '- Counts {one.name}.' >> CHANGELOG.md\n")


def _describe(one: Feature) -> str:
    script = f"mkdir -p docs\nprintf '# {one.name}\\n\\n%s.\\n' '{one.meaning}' > docs/{one.name}.md\n"
    return _item(f"Describe the counter of {one.name}", "A short page for users.", script)


def _explain() -> str:
    body = f'Say in the docs what an empty text counts as.\n\n<!-- act: ask "{QUESTION}" -->'
    script = "mkdir -p docs\nprintf '# Empty texts\\n\\nAn empty text has no lines.\\n' > docs/empty.md\n"
    return _item("Explain empty texts", body, script)
