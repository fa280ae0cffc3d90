"""A right directory gives a Config; a wrong one gives every problem, each on a line with file, key, expected, remedy."""

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrad.config.keys import notices
from orchestrad.config.load import load
from orchestrad.config.problems import ConfigErrors
from orchestrad.config.values import Listen, Mount
from orchestrad.errors import Refused
from tests.support.config_directory import KEY, TOKEN, ConfigDirectory


def test_required_keys_are_enough(orch: ConfigDirectory) -> None:
    config = orch.load()
    assert (config.name, config.branch, config.engine, config.worker_count) == ("project", "main", "docker", 3)
    assert config.claude_configs == orch.path / "credentials/*.json"
    assert config.state_directory.name == "project"
    assert config.listen == Listen("127.0.0.1", 0)
    assert config.agent.restart.max == timedelta(seconds=300)
    assert config.container.memory == 4 * 2**30
    assert notices(config) == ()


def test_values_are_read_in_the_forms_that_people_write(orch: ConfigDirectory, tmp_path: Path) -> None:
    orch.environ["DATA"] = "/srv/data"
    orch.settings(
        stateDirectory="~/state",
        agent={"retryDelay": "1h30m", "attendedTimeout": 90, "command": ["claude", "$${X}"]},
        container={"memory": "512m", "mounts": ["${DATA}:/data", "~/x:/x:ro"], "cpus": 2, "environment": {"A": "b"}},
        **{"$schema": "./orchestrator.schema.json"},
    )
    config = orch.load()
    assert config.state_directory == tmp_path / "home/state"
    assert config.agent.retry_delay == timedelta(minutes=90)
    assert config.agent.attended_timeout == timedelta(seconds=90)
    assert config.agent.command == ("claude", "${X}")
    assert config.container.memory == 512 * 2**20
    assert config.container.mounts == (Mount(Path("/srv/data"), "/data"), Mount(tmp_path / "home/x", "/x"))


def test_a_loaded_config_cannot_be_changed(orch: ConfigDirectory) -> None:
    config = orch.load()
    with pytest.raises(ValueError, match="frozen"):
        config.worker_count = 4  # type: ignore[misc]  # that is what is tried


WRONG = [
    ({"workerCount": "three"}, "workerCount", '"three"', "a whole number of at least 1", 'write e.g. "workerCount": 3'),
    ({"workerCount": "3"}, "workerCount", '"3"', "a whole number", "write e.g."),
    ({"workerCount": True}, "workerCount", "true", "a whole number", "write e.g."),
    ({"workerCount": 0}, "workerCount", "0", "at least 1", "write e.g."),
    ({"workerCount": 10**9}, "workerCount", "1000000000", "at most 100", "write e.g."),
    ({"workerCount": None}, "workerCount", "nothing", "a whole number", 'add "workerCount": 3'),
    ({"repositoryUrl": None}, "repositoryUrl", "nothing", "a repository", 'add "repositoryUrl": "https://'),
    ({"repositoryUrl": ""}, "repositoryUrl", '""', "a repository", "write e.g."),
    ({"repositoryUrl": "ext::sh -c x"}, "repositoryUrl", '"ext::sh -c x"', "a repository", "write e.g."),
    ({"claudeConfigs": None}, "claudeConfigs", "nothing", "a glob", 'add "claudeConfigs": "credentials/*.json"'),
    ({"claudeConfigs": ["a"]}, "claudeConfigs", '["a"]', "a glob of credential files", "credentials/*.json"),
    ({"workercount": 3}, "workercount", "an unknown key", "workerCount", "did you mean workerCount?"),
    ({"worker_count": 3}, "worker_count", "an unknown key", "workerCount", "did you mean workerCount?"),
    ({"agent": {"maxRetrys": 3}}, "agent.maxRetrys", "an unknown key", "maxRetries", "did you mean agent.maxRetries?"),
    ({"lowWater": 3}, "lowWater", "an unknown key", "manager.lowWater", "did you mean manager.lowWater?"),
    ({"zzz": 3}, "zzz", "an unknown key", "one of repositoryUrl, workerCount", "remove it"),
    ({"engine": "podman"}, "engine", '"podman"', 'one of "docker", "process"', '"engine": "docker"'),
    ({"agent": 5}, "agent", "5", "an object with command, context", "write it as {…}"),
    ({"agent": {"retryDelay": "soon"}}, "agent.retryDelay", '"soon"', "seconds or a text", '"1h30m"'),
    ({"agent": {"retryDelay": -1}}, "agent.retryDelay", "-1", "seconds or a text", '"1h30m"'),
    ({"agent": {"waitingTimeout": 0}}, "agent.waitingTimeout", "0", "at least one second", '"1h30m"'),
    ({"agent": {"command": "claude"}}, "agent.command", '"claude"', "a list", '"command": ["claude"]'),
    ({"agent": {"command": ["a", 1]}}, "agent.command", "1", "a list, each item a text", "write e.g."),
    ({"agent": {"restart": {"max": "x"}}}, "agent.restart.max", '"x"', "seconds", "write e.g."),
    ({"agent": {"maxTokens": 0}}, "agent.maxTokens", "0", "a whole number above 0 or null", "leave the key out"),
    ({"name": "My Fleet"}, "name", '"My Fleet"', "lower-case letters", '"my-fleet"'),
    ({"name": "x" * 41}, "name", "xxx", "at most 40", "write e.g."),
    ({"branch": "a..b"}, "branch", '"a..b"', "the name of a branch", '"main"'),
    ({"branch": "-x"}, "branch", '"-x"', "the name of a branch", '"main"'),
    ({"branch": "worker-1/x"}, "branch", '"worker-1/x"', "a branch that no worker may push to", "choose another"),
    ({"listen": "0.0.0.0:80"}, "listen", '"0.0.0.0:80"', "an address of this machine alone", "ssh -L"),
    ({"listen": "127.0.0.1"}, "listen", '"127.0.0.1"', "HOST:PORT", '"127.0.0.1:0"'),
    ({"listen": "127.0.0.1:99999"}, "listen", "99999", "HOST:PORT", '"127.0.0.1:0"'),
    ({"model": "--help"}, "model", '"--help"', "the name of a model", "leave the key out"),
    ({"container": {"user": "me"}}, "container.user", '"me"', "numbers: UID or UID:GID", '"1000:1000"'),
    ({"container": {"memory": "10m"}}, "container.memory", '"10m"', 'at least "512m"', '"4g"'),
    ({"container": {"mounts": ["/a:/b:rw"]}}, "container.mounts", '"/a:/b:rw"', "a read-only mount", "never write"),
    ({"container": {"mounts": ["/a"]}}, "container.mounts", '"/a"', "HOST_PATH", "~/datasets:/data"),
    ({"container": {"mounts": ["/a:/etc/claude-code/x"]}}, "container.mounts", "claude-code", "free for", "another"),
    ({"container": {"mounts": ["/a:/"]}}, "container.mounts", '"/a:/"', "free for mounts", "choose another"),
    ({"container": {"environment": {"A": 1}}}, "container.environment", "1", "an object of texts", '"environment": {"LANG"'),
    ({"container": {"environment": {"A B": "1"}}}, "container.environment", "A B", "letters, digits", "rename it"),
    ({"container": {"environment": {"HOME": "/"}}}, "container.environment", "HOME", "sets itself", "remove HOME"),
    ({"merge": {"gateNetwork": "yes"}}, "merge.gateNetwork", '"yes"', "true or false", '"gateNetwork": false'),
    ({"stateDirectory": "state"}, "stateDirectory", "/orch/state", "a directory elsewhere", "leave the key out"),
    ({"branch": "${NOPE}"}, "branch", "${NOPE}, which is not set", "environment", "Export NOPE"),
]


@pytest.mark.parametrize(("keys", "key", "found", "expected", "remedy"), WRONG, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line_with_file_key_expected_and_remedy(
    orch: ConfigDirectory, keys: dict[str, Any], key: str, found: str, expected: str, remedy: str
) -> None:
    orch.settings(**keys)
    line = orch.line()
    assert line.startswith(f"{orch.file}: {key}: found ")
    assert found in line.split("expected")[0]
    assert expected in line
    assert remedy.lower() in line.lower()
    assert line.endswith((".", "?"))


def test_all_mistakes_are_told_at_once(orch: ConfigDirectory) -> None:
    orch.settings(workerCount="x", engin="docker", agent={"maxRetries": -1})
    orch.credential("empty.json", "")
    orch.environ["ORCHESTRAD_BRANCH"] = ".."
    assert len(orch.lines()) == 5
    with pytest.raises(Refused) as caught:
        orch.load()
    assert isinstance(caught.value, ConfigErrors)
    assert {problem.key for problem in caught.value.problems} == {"workerCount", "engin", "agent.maxRetries", "branch", ""}


def test_a_credential_in_the_containers_environment_is_refused_without_showing_it(orch: ConfigDirectory) -> None:
    orch.settings(container={"environment": {"ANTHROPIC_API_KEY": KEY}})
    line = orch.line()
    assert "container.environment" in line
    assert "claudeConfigs" in line
    assert KEY not in line


def test_a_password_in_a_url_is_never_shown(orch: ConfigDirectory) -> None:
    orch.environ["PASSWORD"] = "s3cret"
    orch.settings(repositoryUrl="ftp://me:${PASSWORD}@example.org/a")
    assert "s3cret" not in orch.line()
    orch.settings(repositoryUrl="git://me:s3cret/@x@example.org/a")
    assert "s3cret" not in orch.line()
    orch.settings(repositoryUrl="https://me:s3cret@example.org/a b.git")
    config = orch.load()
    assert "s3cret" not in repr(config) + str(config.repository_url) + config.model_dump_json()
    assert "s3cret" in config.repository_url.url


def test_a_value_with_control_characters_stays_on_one_line(orch: ConfigDirectory) -> None:
    orch.settings(branch="a\n\x1b[31mb\u202e")
    assert len(orch.lines()) == 1
    assert orch.line().isprintable()


BROKEN = [
    (b'{"workerCount": 3,}', "line 1, column 1", "JSON"),
    (b"", "line 1, column 1", "JSON"),
    (b"[]", "JSON that is no object", "an object of settings"),
    (b'{"workerCount": 1, "workerCount": 2}', "the key twice", "each key once"),
    (b'{"workerCount": NaN}', "the number NaN", "a number of JSON"),
    (b'{"branch": "\xff"}', "no UTF-8", "UTF-8 text"),
    (b'{"a":' + b"[" * 100_000, "too deep", "settings"),
    (b'{"a":' * 400 + b"1" + b"}" * 400, "too deep", "settings"),
    (b'{"workerCount": ' + b"1" * 5000 + b"}", "too long a number", "settings"),
]


@pytest.mark.parametrize(("content", "found", "expected"), BROKEN, ids=lambda value: str(value)[:30])
def test_a_file_that_is_no_settings_at_all_is_one_line(orch: ConfigDirectory, content: bytes, found: str, expected: str) -> None:
    orch.file.write_bytes(content)
    line = orch.line()
    assert line.startswith(f"{orch.file}: ")
    assert found in line
    assert f"expected {expected}" in line


def test_a_lone_surrogate_is_a_mistake_and_no_traceback(orch: ConfigDirectory) -> None:
    orch.file.write_text('{"workerCount": 1, "repositoryUrl": "/x", "claudeConfigs": "credentials/*", "branch": "\\ud800"}')
    assert orch.lines()


def test_a_missing_directory_and_a_missing_file_say_what_to_make(orch: ConfigDirectory, tmp_path: Path) -> None:
    orch.file.unlink()
    assert f"{orch.file}: found no such file" in orch.line()
    assert "config.example/orchestrator.json" in orch.line()
    absent = ConfigDirectory(tmp_path / "absent", orch.environ)
    assert f"{absent.path}: found no such directory" in absent.line()
    assert "--config" in absent.line()
    a_file = tmp_path / "a-file"
    a_file.touch()
    assert "found a file, expected a directory" in ConfigDirectory(a_file, orch.environ).line()


def test_a_relative_config_directory_gives_absolute_paths(orch: ConfigDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(orch.path.parent)
    assert load(Path("orch"), orch.environ).claude_configs == orch.path / "credentials/*.json"


def test_brackets_in_the_config_directorys_own_name_are_no_glob(orch: ConfigDirectory) -> None:
    renamed = orch.path.rename(orch.path.with_name("orch [1]*"))
    config = load(renamed, orch.environ)
    assert config.worker_count == 3


# Overrides


@pytest.mark.parametrize("variable", ["ORCHESTRAD_WORKER_COUNT", "ORCHESTRAD_WORKERCOUNT", "ORCHESTRAD_workerCount"])
def test_a_variable_overrides_a_key_however_it_is_spelled(orch: ConfigDirectory, variable: str) -> None:
    orch.environ[variable] = "7"
    assert orch.load().worker_count == 7


def test_variables_reach_every_level_and_every_type(orch: ConfigDirectory) -> None:
    orch.settings(merge={"gate": "make"}, workerCount=None)
    orch.environ |= {
        "ORCHESTRAD_WORKER_COUNT": "2",
        "ORCHESTRAD_NAME": "123",
        "ORCHESTRAD_MERGE__GATE": "",
        "ORCHESTRAD_AGENT__RESTART__FORGET_AFTER": "5m",
        "ORCHESTRAD_AGENT__RETRY_DELAY": "300",
        "ORCHESTRAD_MANAGER__ENABLED": "false",
        "ORCHESTRAD_PROJECT__KEY_FILES": '["a", "b"]',
        "ORCHESTRAD_CONTAINER__ENVIRONMENT": '{"A": "b"}',
        "ORCHESTRAD_CONFIG": "/x",
        "ORCHESTRAD_TEST_CLAUDE": "/x",
        "ORCHESTRAD_BUILD_CONTEXT_EXTRA": "/x",
    }
    config = orch.load()
    assert (config.worker_count, config.name, config.merge.gate) == (2, "123", None)
    assert config.agent.restart.forget_after == timedelta(minutes=5)
    assert config.agent.retry_delay == timedelta(minutes=5)
    assert not config.manager.enabled
    assert config.project.key_files == ("a", "b")
    assert config.container.environment == {"A": "b"}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ORCHESTRAD_WORKER_COUNT", "many", "a whole number"),
        ("ORCHESTRAD_WORKR_COUNT", "3", "Did you mean ORCHESTRAD_WORKER_COUNT?"),
        ("ORCHESTRAD_MERGE__GAET", "3", "Did you mean ORCHESTRAD_MERGE__GATE?"),
        ("ORCHESTRAD_AGENT__XYZXYZ", "3", "Unset it"),
        ("ORCHESTRAD_AGENT__MAX_COST", "NaN", "a number above 0"),
        ("ORCHESTRAD_CLAUDE_CONFIGS", "nowhere/*", "at least one credential file"),
    ],
)
def test_a_wrong_override_names_the_variable(orch: ConfigDirectory, variable: str, value: str, expected: str) -> None:
    orch.environ[variable] = value
    line = orch.line()
    assert line.startswith(f"environment variable {variable}: ")
    assert expected in line


def test_two_variables_for_one_key_are_refused(orch: ConfigDirectory) -> None:
    orch.environ |= {"ORCHESTRAD_WORKER_COUNT": "3", "ORCHESTRAD_WORKERCOUNT": "4"}
    assert "one variable for each key" in orch.line()


# Keys of later versions


def test_keys_of_later_versions_are_accepted_and_said_to_be_unused(orch: ConfigDirectory) -> None:
    orch.settings(
        manager={"rebalance": True},
        merge={"mode": "manager", "strategy": "merge", "gateTimeout": 5, "conflicts": "manager"},
        agent={"inactivityTimeout": 300, "maxCost": 5, "retryDelay": 1},
        notify={"command": "mail me"},
    )
    told = [str(notice) for notice in notices(orch.load())]
    assert [line.split(":")[0] for line in told] == [
        "manager.rebalance",
        "agent.inactivityTimeout",
        "agent.maxCost",
        "merge.mode",
        "merge.gateTimeout",
        "notify.command",
    ]
    assert all("accepted, not in use yet" in line for line in told)
    assert 'acts as with "queue"' in told[3]


# Credentials


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        ("", "an empty file", "a credential"),
        (" \n", "an empty file", "a credential"),
        ("{", "broken JSON (line 1, column 2)", "JSON"),
        ("hello", "neither as a key nor as a token", "sk-ant-api"),
        ('{"permissions": {}}', "JSON without `env` or `claudeAiOauth`", "settings with `env`"),
        ('{"env": {"FOO": "1"}}', "`env` without a credential", "ANTHROPIC_API_KEY"),
        ('{"env": {"ANTHROPIC_API_KEY": "${NOPE}"}}', "NOPE", "Export NOPE"),
        ('{"env": {"ANTHROPIC_API_KEY": "a b"}}', "blank", "Copy it again"),
        ('{"env": {"ANTHROPIC_API_KEY": ""}}', "an empty `env.ANTHROPIC_API_KEY`", "a value"),
        ('{"env": {"ANTHROPIC_API_KEY": 5}}', "no text", "a text"),
        ('{"env": {"ANTHROPIC_API_KEY": "a", "ANTHROPIC_AUTH_TOKEN": "b"}}', "and", "one credential in each"),
        ('{"claudeAiOauth": {}}', "without tokens", "Log in again"),
        ("x" * 70_000, "64 KiB", "settings with `env`"),
    ],
)
def test_a_credential_file_that_holds_none_is_named(orch: ConfigDirectory, content: str, found: str, expected: str) -> None:
    path = orch.credential("bad.json", content)
    line = orch.line()
    assert line.startswith(f"{path}: found ")
    assert found in line
    assert expected in line


def test_no_matching_credential_is_a_problem_of_the_key(orch: ConfigDirectory) -> None:
    orch.settings(claudeConfigs="nowhere/*.json")
    line = orch.line()
    assert line.startswith(f"{orch.file}: claudeConfigs: found no file that matches {orch.path}/nowhere/*.json")
    assert "claude setup-token" in line


def test_an_unreadable_credential_file_is_named(orch: ConfigDirectory) -> None:
    loop = orch.path / "credentials/loop.json"
    loop.symlink_to(loop)
    dangling = orch.path / "credentials/dangling.json"
    dangling.symlink_to("nowhere")
    pipe = orch.path / "credentials/pipe.json"
    os.mkfifo(pipe)
    lines = orch.lines()
    assert [line.split(": ")[0] for line in lines] == [str(dangling), str(loop), str(pipe)]
    assert all("expected a file that the daemon's user can read" in line for line in lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_credential_file_without_permission_is_named(orch: ConfigDirectory) -> None:
    path = orch.credential("closed.json", TOKEN, mode=0)
    assert f"{path}: found a file that can't be read" in orch.line()


def test_an_oauth_file_alone_is_said_not_to_be_in_use(orch: ConfigDirectory) -> None:
    orch.credential("pool-1.json", {"claudeAiOauth": {"accessToken": "a", "refreshToken": "b"}})
    assert "not in use yet" in orch.line()
    assert "claude setup-token" in orch.line()


def test_an_oauth_file_and_a_double_beside_a_usable_credential_are_no_problem(orch: ConfigDirectory) -> None:
    orch.credential("pool-2.json", {"claudeAiOauth": {"accessToken": "a", "refreshToken": "b"}})
    orch.credential("pool-3.json", TOKEN)
    assert orch.lines() == []


def test_the_example_is_right_but_for_its_credential() -> None:
    example = Path(__file__).parents[3] / "config.example"
    with pytest.raises(ConfigErrors) as caught:
        load(example, {"HOME": "/nonexistent"})
    assert "CLAUDE_TOKEN_1, which is not set" in str(caught.value).replace("${", "").replace("}", "")
    assert all(problem.file != str(example / "orchestrator.json") for problem in caught.value.problems)


# Version control


def git(directory: Path, *arguments: str) -> None:
    clean = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(("git", *arguments), cwd=directory, check=True, capture_output=True, env=clean)


def test_a_config_directory_that_git_would_track_is_refused(orch: ConfigDirectory) -> None:
    git(orch.path.parent, "init")
    line = orch.line()
    assert line.startswith(f"{orch.path}: found files that git would track: orchestrator.json, credentials/pool-1.json")
    assert "expected a config directory outside version control" in line
    assert ".gitignore" in line


def test_a_config_directory_that_git_ignores_is_fine(orch: ConfigDirectory) -> None:
    git(orch.path.parent, "init")
    (orch.path.parent / ".gitignore").write_text("/orch/\n")
    assert orch.lines() == []


def test_an_ignored_file_that_was_added_all_the_same_is_refused(orch: ConfigDirectory) -> None:
    git(orch.path.parent, "init")
    (orch.path.parent / ".gitignore").write_text("/orch/\n")
    git(orch.path.parent, "add", "-f", "orch/credentials/pool-1.json")
    assert "credentials/pool-1.json" in orch.line()
    assert "orchestrator.json," not in orch.line()


def test_git_variables_of_the_callers_do_not_hide_a_work_tree(orch: ConfigDirectory) -> None:
    git(orch.path.parent, "init")
    orch.environ["GIT_DIR"] = "/nonexistent"
    assert "git would track" in orch.line()


def test_without_git_the_rest_is_still_checked(orch: ConfigDirectory, tmp_path: Path) -> None:
    git(orch.path.parent, "init")
    orch.environ["PATH"] = str(tmp_path)
    assert orch.lines() == []


def test_settings_survive_a_round_trip(orch: ConfigDirectory) -> None:
    orch.settings(container={"mounts": ["/a:/b"], "memory": "1g"}, agent={"retryDelay": "1h30m"})
    written = orch.load().model_dump(mode="json", by_alias=True)
    orch.file.write_text(json.dumps(written))
    assert orch.load().model_dump(mode="json", by_alias=True) == written
