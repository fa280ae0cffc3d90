"""Reads a config directory: either a Config, or everything that is wrong with it at once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from orchestrad.config.credential_pool import NOT_IN_USE_YET, CredentialFile, look
from orchestrad.config.explain import explain
from orchestrad.config.exposure import tracked_by_git
from orchestrad.config.model import Config
from orchestrad.config.overrides import expand_all, overrides, place
from orchestrad.config.problems import ConfigErrors, Problem
from orchestrad.config.values import Place, absolute_glob
from orchestrad.errors import Unreachable

SETTINGS: Final = "orchestrator.json"
MOST_BRACKETS: Final = 300  # a file with every key has some 20; Python's stack holds about three times as many


def load(config_directory: Path, environ: Mapping[str, str]) -> Config:
    """The fleet's settings, with the overrides of `environ`. Raises ConfigErrors with every problem found.

    Looks at the settings, the credential files and git's view of them; blocks on the disk and on git. Whether the
    repository can be reached is `repository.check_repository`'s to say.
    """
    directory = config_directory.absolute()
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    file = directory / SETTINGS
    written = _read(file)
    values, variables, problems = overrides(environ)
    written.pop("$schema", None)
    expanded, unset = expand_all(written, environ, file=str(file))
    problems = (*problems, *(problem for problem in unset if problem.key not in values))
    config: Config | None = None
    try:
        # By way of JSON: strict validation knows lists as such there, and still takes no text for a number.
        config = Config.model_validate_json(
            json.dumps(place(expanded, values)), strict=True, by_name=False, by_alias=True, context=Place(directory, home)
        )
    except ValidationError as error:
        wrong = explain(error, file=str(file), written=place(written, values), variables=variables)
        told = {problem.key for problem in problems}
        problems = (*problems, *(problem for problem in wrong if problem.key not in told))
    pattern = config.claude_configs if config else _glob_of(place(expanded, values), directory, home)
    if pattern is not None:
        source = f"environment variable {variables['claudeConfigs']}" if "claudeConfigs" in variables else str(file)
        problems = (*problems, *_check_credentials(pattern, directory, environ, source=source))
    if config is not None and config.state_directory.is_relative_to(directory):
        problems = (*problems, _state_in_config(config, str(file)))
    if problems or config is None:
        raise ConfigErrors(problems)
    return config


def _read(file: Path) -> dict[str, Any]:
    """The object in `file`; its mistakes leave nothing else to check, so they are raised at once."""

    def refuse(found: str, expected: str, remedy: str, *, key: str = "", at: Path = file) -> ConfigErrors:
        return ConfigErrors([Problem(str(at), key, found, expected, remedy)])

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise refuse("the key twice", "each key once", "remove one of the two", key=twice[0])
        return dict(pairs)

    def no_constant(name: str) -> None:
        raise refuse(f"the number {name}", "a number of JSON", "write it in digits")

    try:
        text = file.read_bytes().decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
    except FileNotFoundError:
        if not file.parent.exists():
            raise refuse(
                "no such directory", "your config directory", "make it, or name another with --config", at=file.parent
            ) from None
        example = "copy config.example/orchestrator.json there, or name another directory with --config"
        raise refuse("no such file", "the fleet's settings", example) from None
    except NotADirectoryError:
        raise refuse("a file", "a directory", "name the directory that holds it with --config", at=file.parent) from None
    except OSError as error:
        raise refuse(f"a file that can't be read ({error.strerror})", "a readable file", "mend its permissions") from None
    except UnicodeDecodeError as error:
        raise refuse(f"a byte that is no UTF-8 (at {error.start})", "UTF-8 text", "save it as UTF-8") from None
    except json.JSONDecodeError as error:
        found = f"broken JSON at line {error.lineno}, column {error.colno} ({error.msg})"
        raise refuse(found, "JSON", "mend it there; JSON has neither comments nor a comma after the last item") from None
    except (RecursionError, ValueError):
        raise refuse("JSON too deep or with too long a number", "settings", "start from config.example") from None
    if _is_deep(text):
        raise refuse("JSON too deep", "settings", "start from config.example")
    if not isinstance(data, dict):
        raise refuse("JSON that is no object", "an object of settings", "write { … } around them")
    return data


def _is_deep(text: str) -> bool:
    """Whether there are more brackets than any settings need; deeper ones would exhaust the stack further on."""
    return text.count("{") + text.count("[") > MOST_BRACKETS


def _glob_of(data: Mapping[str, Any], directory: Path, home: Path) -> Path | None:
    pattern = data.get("claudeConfigs")
    return absolute_glob(pattern, Place(directory, home)) if isinstance(pattern, str) and pattern else None


def _check_credentials(pattern: Path, directory: Path, environ: Mapping[str, str], *, source: str) -> tuple[Problem, ...]:
    try:
        files = look(pattern, environ)
    except Unreachable as error:
        found = f"what can't be looked at ({error})"
        return (Problem(source, "claudeConfigs", found, "readable credential files", "mend it, then start again"),)
    problems = [
        Problem(str(file.path), "", file.fault.found, file.fault.expected, file.fault.remedy)
        for file in files
        if file.fault is not None
    ]
    if not files:
        found = f"no file that matches {pattern}"
        remedy = "put a file with a key or a token there (`claude setup-token` makes one), or correct the pattern"
        problems.append(Problem(source, "claudeConfigs", found, "at least one credential file", remedy))
    elif not problems and not any(file.credential for file in files):
        problems += [_only_unused(file) for file in files]
    if exposed := tracked_by_git([directory / SETTINGS, *(file.path for file in files)], environ):
        names = ", ".join(str(file.relative_to(directory) if file.is_relative_to(directory) else file) for file in exposed)
        remedy = "move the directory out of the work tree, or add it to .gitignore and run `git rm --cached` on it"
        found = f"files that git would track: {names}"
        problems.append(Problem(str(directory), "", found, "a config directory outside version control", remedy))
    return tuple(problems)


def _only_unused(file: CredentialFile) -> Problem:
    return Problem(
        str(file.path),
        "",
        found=f"no credential that this version uses ({NOT_IN_USE_YET})",
        expected="at least one token or API key",
        remedy="run `claude setup-token` and put its token into a file of its own",
    )


def _state_in_config(config: Config, file: str) -> Problem:
    return Problem(
        file,
        "stateDirectory",
        found=f"{config.state_directory}, in the config directory",
        expected="a directory elsewhere, because this one is only read",
        remedy="leave the key out, or name another directory",
    )
