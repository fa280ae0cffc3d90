"""One contract for every source of credentials, the fake included."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from orchestrad.credentials.fake import FakeCredentials
from orchestrad.credentials.files import FileCredentials
from orchestrad.credentials.port import CredentialKind, Credentials
from orchestrad.errors import Unreachable
from tests.support.config_directory import KEY, TOKEN

ENVIRON = {"SET": "from-the-environment"}


class User(Protocol):
    """What a person does to their credentials."""

    def write(self, name: str, text: str, *, mode: int = 0o600) -> None: ...
    def delete(self, name: str) -> None: ...
    def make_unreadable(self, name: str) -> None: ...
    def go_away(self) -> None: ...
    def come_back(self) -> None: ...


class UserOfFiles:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def write(self, name: str, text: str, *, mode: int = 0o600) -> None:
        (self.directory / name).parent.mkdir(exist_ok=True)
        (self.directory / name).write_text(text)
        (self.directory / name).chmod(mode)

    def delete(self, name: str) -> None:
        (self.directory / name).unlink()

    def make_unreadable(self, name: str) -> None:
        self.delete(name)
        (self.directory / name).symlink_to(name)  # a loop stops root too, which a mode does not

    def go_away(self) -> None:
        self.directory.rename(self.directory.with_name("aside"))
        self.directory.symlink_to(self.directory)

    def come_back(self) -> None:
        self.directory.unlink()
        self.directory.with_name("aside").rename(self.directory)


class CredentialsContract:
    async def test_no_files_are_an_empty_answer(self, credentials: Credentials, user: User) -> None:
        assert await credentials.read() == ()

    async def test_each_kind_is_read_under_the_stem_of_its_file(self, credentials: Credentials, user: User) -> None:
        user.write("b.json", KEY)
        user.write("a.json", TOKEN)
        user.write("c.json", json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": "${SET}"}}))
        files = await credentials.read()
        assert [file.label for file in files] == ["a", "b", "c"]
        read = [file.credential for file in files if file.credential]
        assert [one.kind for one in read] == [CredentialKind.TOKEN, CredentialKind.API_KEY, CredentialKind.TOKEN]
        assert [one.secret.reveal() for one in read] == [TOKEN, KEY, "from-the-environment"]
        assert len({one.fingerprint for one in read}) == 3
        assert all(not file.remarks and file.fault is None for file in files)

    async def test_each_look_is_new(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY)
        before = await credentials.read()
        user.write("a.json", TOKEN)
        user.write("b.json", KEY)
        assert [file.credential and file.credential.secret.reveal() for file in await credentials.read()] == [TOKEN, KEY]
        user.delete("b.json")
        user.write("a.json", KEY)
        assert await credentials.read() == before

    async def test_labels_are_unique_and_safe_to_show(self, credentials: Credentials, user: User) -> None:
        for name in ("a.json", "a.txt", "a-2.json", "b\n\x1b[31m.json"):
            user.write(name, f"{KEY}{len(name)}")
        labels = [file.label for file in await credentials.read()]
        assert len(set(labels)) == 4
        assert all(label.isprintable() and " " not in label for label in labels)

    async def test_a_double_is_used_once_and_says_so(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY)
        user.write("b.json", json.dumps({"env": {"ANTHROPIC_API_KEY": KEY}}))
        first, second = await credentials.read()
        assert first.credential is not None
        assert second.credential is None
        assert second.fault is None
        assert second.remarks == ("a double of a, used once: remove one of the two files",)

    async def test_one_key_for_two_addresses_is_no_double(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY)
        user.write("b.json", json.dumps({"env": {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://x"}}))
        assert all(file.credential for file in await credentials.read())

    async def test_a_file_that_others_may_read_says_the_chmod(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY, mode=0o640)
        (file,) = await credentials.read()
        assert file.credential is not None
        assert file.remarks == (f"other users of this machine may read it: run chmod 600 {file.path}",)

    async def test_an_oauth_file_is_recognised_and_not_used_yet(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", json.dumps({"claudeAiOauth": {"accessToken": "x", "refreshToken": "y"}}))
        (file,) = await credentials.read()
        assert file.credential is None
        assert file.fault is None
        assert "not in use yet" in file.remarks[0]

    async def test_a_bad_file_does_not_hide_the_good_ones(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", "")
        user.write("b.json", KEY)
        user.write("c.json", "{}")
        user.make_unreadable("c.json")
        empty, good, unreadable = await credentials.read()
        assert empty.fault is not None
        assert "an empty file" in str(empty.fault)
        assert good.credential is not None
        assert unreadable.fault is not None
        assert "can't be read" in str(unreadable.fault)

    async def test_a_look_that_fails_is_not_an_empty_answer(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY)
        before = await credentials.read()
        user.go_away()
        with pytest.raises(Unreachable):
            await credentials.read()
        user.come_back()
        assert await credentials.read() == before

    async def test_nothing_of_an_answer_shows_a_secret(self, credentials: Credentials, user: User) -> None:
        user.write("a.json", KEY)
        user.write("b.json", json.dumps({"env": {"ANTHROPIC_API_KEY": "k3y", "ANTHROPIC_CUSTOM_HEADERS": "h3ader"}}))
        shown = repr(await credentials.read())
        assert KEY not in shown
        assert "k3y" not in shown
        assert "h3ader" not in shown

    async def test_closing_twice_is_fine(self, credentials: Credentials, user: User) -> None:
        await credentials.close()
        await credentials.close()


class TestFakeCredentials(CredentialsContract):
    @pytest.fixture
    def credentials(self) -> FakeCredentials:
        return FakeCredentials(environ=ENVIRON)

    @pytest.fixture
    def user(self, credentials: FakeCredentials) -> User:
        return credentials


class TestFileCredentials(CredentialsContract):
    @pytest.fixture
    def user(self, tmp_path: Path) -> User:
        return UserOfFiles(tmp_path / "credentials")

    @pytest.fixture
    async def credentials(self, user: User, tmp_path: Path) -> AsyncIterator[FileCredentials]:
        files = FileCredentials(tmp_path / "credentials/*", ENVIRON)
        yield files
        await files.close()

    async def test_a_directory_that_is_not_there_holds_no_files(self, tmp_path: Path) -> None:
        files = FileCredentials(tmp_path / "nowhere/*.json", {})
        assert await files.read() == ()
        await files.close()
