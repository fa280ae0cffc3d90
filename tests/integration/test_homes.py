"""An agent's directories: what a run finds there, and that nothing an agent plants in its home leads out of it."""

import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrad.config.credential_file import Credential, CredentialKind
from orchestrad.config.secret import Secret
from orchestrad.containers.guarded import Owner
from orchestrad.containers.homes import Homes, HomeUnusable, Life
from orchestrad.core.ids import AgentName, Epoch, Nonce, Oid, worker
from orchestrad.credentials.placing import placement
from orchestrad.files import hooks_directory

AGENT = worker(1)
TOKEN = Credential(CredentialKind.TOKEN, Secret("sk-ant-oat01-first"), "CLAUDE_CODE_OAUTH_TOKEN")
KEY = Credential(CredentialKind.API_KEY, Secret("sk-ant-api03-second"), "ANTHROPIC_API_KEY")


@pytest.fixture
async def docker(tmp_path: Path) -> AsyncIterator[Homes]:
    homes = make(tmp_path, "docker")
    yield homes
    await homes.aclose()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Homes]:
    homes = make(tmp_path, "process")
    yield homes
    await homes.aclose()


def make(root: Path, engine: Literal["docker", "process"], owner: Owner | None = None) -> Homes:
    return Homes(root / "agents", engine=engine, hooks=hooks_directory(), objects=root / "hub.git/objects", owner=owner)


def a_life(**more: Any) -> Life:
    return Life(**{
        "agent": AGENT, "epoch": Epoch(3), "token": Secret("worker-1.3.proof"), "daemon": "http://127.0.0.1:7", "main": "main",
        "credential": placement(TOKEN), **more,
    })  # fmt: skip


def read(homes: Homes, path: str) -> str:
    return (homes.directory(AGENT) / path).read_text()


def settings(homes: Homes, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(homes, path))
    return found


async def test_a_run_finds_what_it_is(docker: Homes) -> None:
    base = Oid("0123456789" * 4)
    await docker.prepare(a_life(branch="worker-1/ab", base=base, nonce=Nonce("4fa1"), text="Do it."))
    assert read(docker, "run/start").splitlines() == [
        "agent worker-1", "epoch 3", "daemon http://127.0.0.1:7", "hub http://127.0.0.1:7/git/hub.git",
        "rescue http://127.0.0.1:7/git/rescue.git", "objects /hub/objects", "workspace /workspace", "main main",
        "branch worker-1/ab", f"base {base}", "nonce 4fa1", "rows yes",
    ]  # fmt: skip
    assert read(docker, "run/token") == "worker-1.3.proof\n"
    assert read(docker, "run/texts/4fa1") == "Do it."
    assert "extraHeader = Authorization: Bearer worker-1.3.proof" in read(docker, "run/gitconfig")


async def test_under_docker_the_credential_is_in_the_policy_and_not_at_home(docker: Homes) -> None:
    await docker.prepare(a_life())
    assert settings(docker, "policy/managed-settings.json")["env"] == {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-first"}
    at_home = [path for path in (docker.directory(AGENT) / "home").rglob("*") if path.is_file()]
    assert [path.name for path in at_home] == [".claude.json"]
    assert docker.settings(AGENT) is None


async def test_under_process_the_credential_is_at_home_where_a_change_is_noticed(process: Homes) -> None:
    await process.prepare(a_life())
    assert "env" not in settings(process, "policy/managed-settings.json")
    assert settings(process, "home/.claude/settings.json")["env"] == {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-first"}
    assert str(process.settings(AGENT)) == str(process.directory(AGENT) / "policy/managed-settings.json")


@pytest.mark.parametrize("engine", ["docker", "process"])
async def test_another_credential_takes_the_place_of_the_first(tmp_path: Path, engine: Literal["docker", "process"]) -> None:
    homes = make(tmp_path, engine)
    await homes.prepare(a_life())
    policy = settings(homes, "policy/managed-settings.json")["hooks"]

    await homes.place_credential(AGENT, placement(KEY, homes.places(AGENT).key_file))
    with_key = "".join(path.read_text() for path in homes.directory(AGENT).rglob("*settings.json"))
    key = read(homes, "run/api-key")
    await homes.place_credential(AGENT, placement(TOKEN))

    assert "sk-ant" not in with_key
    assert key == "sk-ant-api03-second\n"
    assert not (homes.directory(AGENT) / "run/api-key").exists()
    assert settings(homes, "policy/managed-settings.json")["hooks"] == policy
    await homes.aclose()


async def test_preparing_again_keeps_what_the_cli_wrote(docker: Homes) -> None:
    await docker.prepare(a_life())
    state = docker.directory(AGENT) / "home/.claude.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "numStartups": 7}))
    await docker.prepare(a_life(epoch=Epoch(4)))
    assert settings(docker, "home/.claude.json")["numStartups"] == 7
    assert settings(docker, "home/.claude.json")["projects"]["/workspace"]["hasTrustDialogAccepted"] is True


async def test_a_state_file_cut_short_is_begun_anew(docker: Homes) -> None:
    await docker.prepare(a_life())
    (docker.directory(AGENT) / "home/.claude.json").write_text('{"numSt')
    await docker.prepare(a_life())
    assert settings(docker, "home/.claude.json")["hasCompletedOnboarding"] is True


async def test_nothing_is_readable_by_other_users(docker: Homes) -> None:
    await docker.prepare(a_life(nonce=Nonce("4fa1"), text="x"))
    everything = [docker.directory(AGENT), *docker.directory(AGENT).rglob("*")]
    assert [path for path in everything if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_under_root_the_agents_user_owns_its_own_and_reads_the_rest(tmp_path: Path) -> None:
    before = make(tmp_path, "docker")
    await before.prepare(a_life())
    (before.directory(AGENT) / "workspace/kept").write_text("x")
    await before.aclose()
    homes = make(tmp_path, "docker", Owner(12345, 12345))
    await homes.prepare(a_life())
    await homes.aclose()

    def of(path: str) -> tuple[int, int, int]:
        seen = (homes.directory(AGENT) / path).lstat()
        return seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)

    assert of("home/.claude.json") == (12345, 12345, 0o600)
    assert of("workspace/kept")[:2] == (12345, 12345)
    assert of("run") == (0, 12345, 0o750)
    assert of("run/token") == of("policy/managed-settings.json") == (0, 12345, 0o640)


@pytest.mark.parametrize("planted", [".claude.json", ".claude"])
async def test_a_link_planted_in_the_home_is_not_followed(process: Homes, tmp_path: Path, planted: str) -> None:
    await process.prepare(a_life())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "settings.json").write_text('{"mine": 1}')
    place = process.directory(AGENT) / "home" / planted
    place.rename(tmp_path / "aside")
    place.symlink_to(outside / "settings.json" if planted == ".claude.json" else outside)

    with pytest.raises(HomeUnusable, match="worker-1"):
        await process.prepare(a_life())

    assert (outside / "settings.json").read_text() == '{"mine": 1}'


async def test_the_newest_session_file_counts(docker: Homes) -> None:
    await docker.prepare(a_life())
    assert await docker.session(AGENT) is None
    sessions = docker.directory(AGENT) / "home/.claude/sessions"
    sessions.mkdir(parents=True)
    for number, status, at in ((1, "busy", 30), (2, "idle", 20)):
        (sessions / f"{number}.json").write_text(json.dumps({"sessionId": "s", "status": status, "statusUpdatedAt": at}))
    (sessions / "3.json").symlink_to("1.json")
    os.mkfifo(sessions / "4.json")
    (sessions / "5.json").mkdir()
    found = await docker.session(AGENT)
    assert found is not None
    assert (found.status, found.updated_at_ms) == ("busy", 30)


async def test_a_transcript_is_read_from_its_end(docker: Homes) -> None:
    await docker.prepare(a_life())
    where = docker.directory(AGENT) / "home/.claude/projects/-workspace/s.jsonl"
    where.parent.mkdir(parents=True)
    error = json.dumps({"isApiErrorMessage": True, "message": {"content": [{"text": "Overloaded"}]}, "apiErrorStatus": 529})
    where.write_text('{"x":"' + "y" * 2_000_000 + '"}\n' + error + "\n")
    name = "/home/agent/.claude/projects/-workspace/s.jsonl"
    last = await docker.last_error(AGENT, name)
    assert last is not None
    assert (last.text, last.status) == ("Overloaded", 529)
    assert await docker.transcript_size(AGENT, name) == where.stat().st_size


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "/home/agent/../../etc/passwd", "/home/agent", "/home/agent/linked", "/home/agent/linked-dir/passwd", "",
     "x\0y", "/home/agent/absent/x", "/home/agent/pipe", "/home/agent/.claude.json/x"],
)  # fmt: skip
async def test_a_transcript_elsewhere_counts_as_not_there(docker: Homes, name: str) -> None:
    await docker.prepare(a_life())
    home = docker.directory(AGENT) / "home"
    (home / "linked").symlink_to("/etc/passwd")
    (home / "linked-dir").symlink_to("/etc")
    os.mkfifo(home / "pipe")
    assert await docker.transcript_size(AGENT, name) is None
    assert await docker.last_error(AGENT, name) is None


async def test_a_text_lies_where_the_agent_is_told(process: Homes) -> None:
    await process.prepare(a_life())
    where = await process.place_text(AGENT, Nonce("4fa1"), "Do it.")
    assert str(where) == str(process.directory(AGENT) / "run/texts/4fa1")
    assert read(process, "run/texts/4fa1") == "Do it."


async def test_removing_leaves_nothing_and_is_fine_twice(docker: Homes) -> None:
    await docker.prepare(a_life())
    locked = docker.directory(AGENT) / "workspace/cache/inner"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0o500)
    await docker.remove(AGENT)
    await docker.remove(AGENT)
    assert not docker.directory(AGENT).exists()


async def test_a_name_that_is_no_agents_touches_nothing(docker: Homes) -> None:
    with pytest.raises(ValueError, match="no agent's name"):
        await docker.remove(AgentName("../.."))
