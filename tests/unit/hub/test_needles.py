"""Secrets are found as they are and in base64, whatever stands around them."""

import textwrap
from base64 import b64encode, urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.hub.needles import Needles, Search

KEY = "sk-ant-api03-" + "aB3_x-" * 15
TOKEN = "worker-1.3." + "0123456789abcdef" * 4
NEEDLES = Needles([KEY, TOKEN])


def found(data: bytes, *, piece: int = 100) -> int | None:
    search = Search(NEEDLES)
    for at in range(0, len(data), piece):
        search.feed(data[at : at + piece])
    return search.line


def test_the_line_of_a_secret_is_counted_from_one() -> None:
    assert NEEDLES.line(KEY.encode()) == 1
    assert NEEDLES.line(f"a\n\nkey = '{TOKEN}'\nb\n".encode()) == 3
    assert NEEDLES.line(b"nothing of that kind\n") is None


def test_the_beginning_of_a_secret_is_none() -> None:
    assert NEEDLES.line(KEY[:-1].encode()) is None
    assert NEEDLES.line(b"sk-ant-api03-your-key-here sk-ant-" + KEY[8:].encode()) is None


@given(before=st.binary(max_size=20), after=st.binary(max_size=20), safe=st.booleans(), secret=st.sampled_from([KEY, TOKEN]))
def test_in_base64_it_is_found_at_each_alignment_in_both_alphabets(before: bytes, after: bytes, safe: bool, secret: str) -> None:
    encode = urlsafe_b64encode if safe else b64encode
    assert NEEDLES.line(b"x: " + encode(before + secret.encode() + after)) == 1


@given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8), before=st.binary(max_size=3))
def test_any_secret_is_found_in_base64(secret: str, before: bytes) -> None:
    assert Needles([secret]).line(b64encode(before + secret.encode())) == 1


def test_wrapped_and_indented_it_is_found_where_it_begins() -> None:
    wrapped = textwrap.indent(textwrap.fill(b64encode(f"token={KEY}".encode()).decode(), 76), "    ")
    assert NEEDLES.line(f"data:\n{wrapped}\n".encode()) == 2
    assert NEEDLES.line(f"data:\r\n{KEY}\r\n".encode("utf-16")) == 2


def test_secrets_too_short_to_tell_from_text_are_not_looked_for() -> None:
    assert not Needles(["short", ""])
    assert Needles(["short", ""]).line(b"short") is None


@given(lines=st.integers(0, 400), piece=st.integers(1, 300))
def test_in_pieces_it_is_found_on_the_same_line(lines: int, piece: int) -> None:
    data = b"some words on a line\n" * lines + b"x " + TOKEN.encode() + b"\nrest"
    assert found(data, piece=piece) == lines + 1


def test_behind_much_else_it_is_found_too() -> None:
    data = b"line\n" * 100_000 + KEY.encode()
    assert found(data, piece=65_536) == 100_001
    assert found(data[:-1], piece=65_536) is None
