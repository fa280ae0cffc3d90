"""The small parsers: durations, repository URLs, secrets, variables in texts."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrad.config.durations import LONGEST, format_duration, parse_duration
from orchestrad.config.overrides import Unset, expand
from orchestrad.config.repository_url import NAME_LENGTH, UrlKind, parse_repository_url, redact, slug
from orchestrad.config.secret import Secret


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST).map(lambda length: timedelta(seconds=int(length.total_seconds()))))
def test_a_formatted_duration_reads_back_the_same(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@given(st.text(max_size=12) | st.floats() | st.integers() | st.booleans() | st.none())
def test_any_value_is_a_length_or_none(value: object) -> None:
    length = parse_duration(value)
    assert length is None or timedelta(0) <= length <= LONGEST


@pytest.mark.parametrize(
    "text", ["", " ", "5 m", "m", "1m1h", "-5", "1e3", "٣m", "5x", "400d", True, None, float("nan"), float("inf")]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "kind", "url", "name"),
    [
        ("https://example.org/you/My_Project.git/", UrlKind.HTTPS, "https://example.org/you/My_Project.git/", "my-project"),
        ("http://127.0.0.1:8080/a.git", UrlKind.HTTP, "http://127.0.0.1:8080/a.git", "a"),
        ("ssh://git@example.org:22/you/a", UrlKind.SSH, "ssh://git@example.org:22/you/a", "a"),
        ("git@example.org:you/a.git", UrlKind.SCP, "git@example.org:you/a.git", "a"),
        ("example.org:a", UrlKind.SCP, "example.org:a", "a"),
        ("file:///srv/a.git", UrlKind.FILE, "file:///srv/a.git", "a"),
        ("/srv/a b", UrlKind.PATH, "/srv/a b", "a-b"),
        ("../a/.git", UrlKind.PATH, "/config/../a/.git", "a"),
        ("~/a", UrlKind.PATH, "/home/me/a", "a"),
        ("./with:colon", UrlKind.PATH, "/config/with:colon", "colon"),
        ("/", UrlKind.PATH, "/", "fleet"),
        ("/srv/日本", UrlKind.PATH, "/srv/日本", "fleet"),
    ],
)
def test_each_form_of_a_repository_is_told_apart(text: str, kind: UrlKind, url: str, name: str) -> None:
    read = parse_repository_url(text, Path("/config"), Path("/home/me"))
    assert read is not None
    assert (read.kind, read.url, read.slug) == (kind, url, name)


@pytest.mark.parametrize(
    "text", ["", "-x", "--upload-pack=x", "ext::sh", "git://x/y", "ftp://x/y", "https://", "https:///x", "a\nb"]
)
def test_what_git_should_not_be_given_is_no_repository(text: str) -> None:
    assert parse_repository_url(text, Path("/config"), Path("/home/me")) is None


@given(st.text())
def test_a_slug_is_always_a_usable_name(text: str) -> None:
    made = slug(text)
    assert made
    assert len(made) <= NAME_LENGTH
    assert made[0] != "-"
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@host/a", "https://…@host/a"),
        ("https://token@host/a", "https://…@host/a"),
        ("HTTPS://me:p/w@x@host/a", "HTTPS://…@host/a"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("ssh://git:pw@host/a", "ssh://…@host/a"),
        ("fatal: 'https://me:pw@host/a' gone", "fatal: 'https://…@host/a' gone"),
        ("git@host:a", "git@host:a"),
    ],
)
def test_a_login_is_taken_out_of_what_is_shown(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("s3cret")
    assert "s3cret" not in f"{secret} {secret!r} {[secret]} {secret!s:>9}"
    assert secret.reveal() == "s3cret"
    assert secret == Secret("s3cret") != Secret("other")
    assert len(secret.fingerprint) == 8


def test_variables_are_replaced_once_and_can_be_escaped() -> None:
    assert expand("${A}-$${A}-$A", {"A": "${B}"}) == "${B}-${A}-$A"
    with pytest.raises(Unset) as caught:
        expand("${A}", {})
    assert caught.value.name == "A"
