from hypothesis import given
from hypothesis import strategies as st

from orchestrad.demo.keys import Key, KeyReader


def read(*pieces: bytes) -> list[Key]:
    reader = KeyReader()
    return [key for piece in pieces for key in reader.feed(piece)] + reader.flush()


def test_text_enter_and_control_keys_are_told_apart() -> None:
    assert read(b"hi\r\x15\x7f") == [Key("text", "hi"), Key("enter"), Key("ctrl-u"), Key("backspace")]


def test_an_escape_that_nothing_follows_is_the_escape_key() -> None:
    assert read(b"\x1b") == [Key("escape")]
    assert read(b"\x1b\x1b") == [Key("escape"), Key("escape")]


def test_an_arrow_is_not_an_escape() -> None:
    assert read(b"\x1b[A", b"\x1bOB", b"\x1b[1;5C") == [Key("ignored")] * 3


def test_a_paste_is_one_key_with_its_line_ends() -> None:
    assert read(b"\x1b[200~a\rb\r\nc\x1b[201~\r") == [Key("paste", "a\nb\nc"), Key("enter")]


@given(
    st.text(alphabet=st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=20), st.data()
)
def test_it_does_not_matter_where_the_bytes_are_cut(text: str, data: st.DataObject) -> None:
    raw = text.encode() + b"\x1b[200~" + text.encode() + b"\x1b[201~\r"
    cut = data.draw(st.integers(0, len(raw)))
    reader = KeyReader()
    keys = reader.feed(raw[:cut]) + reader.feed(raw[cut:])
    assert "".join(key.text for key in keys if key.name == "text") == text
    assert [key for key in keys if key.name != "text"] == [Key("paste", text), Key("enter")]
