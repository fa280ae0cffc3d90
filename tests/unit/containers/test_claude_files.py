import json

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.containers.claude_files import ApiError, SessionFile, read_last_error, read_session


def a_line(**more: object) -> bytes:
    return json.dumps({"type": "assistant", "isApiErrorMessage": True, **more}).encode()


def test_a_session_file_tells_what_the_cli_is_at() -> None:
    content = json.dumps({"sessionId": "s-1", "status": "waiting", "waitingFor": "dialog open", "statusUpdatedAt": 17}).encode()
    assert read_session(content) == SessionFile("s-1", "waiting", 17, "dialog open")


def test_a_status_that_we_do_not_know_is_unknown() -> None:
    assert read_session(b'{"sessionId":"s-1","status":"dreaming"}') == SessionFile("s-1", "", 0)


def test_half_a_session_file_is_none() -> None:
    assert read_session(b'{"sessionId":"s-1","sta') is None
    assert read_session(b"[]") is None


def test_the_last_error_is_found_behind_a_cut_first_line() -> None:
    limit = {"status": "rejected", "resetsAt": 1_760_000_000, "rateLimitType": "five_hour"}
    text = "You've hit your 5-hour limit · resets 5:28am (UTC)"
    tail = b"\n".join([
        b'ssage":true,"text":"cut"}',
        a_line(message={"content": "older"}),
        a_line(message={"content": [{"type": "text", "text": text}]}, quotaLimits=limit, apiError="usage_limit_reached"),
        json.dumps({"type": "user", "message": {"content": 'says "isApiErrorMessage"'}}).encode(),
        b"",
    ])  # fmt: skip
    assert read_last_error(tail) == ApiError(text, kind="usage_limit_reached", limit="five_hour", resets_at_s=1_760_000_000)


def test_a_transcript_without_errors_has_none() -> None:
    assert read_last_error(b'{"type":"user"}\n{"isApiErrorMessage":false}\n') is None


@given(st.binary(max_size=300))
def test_whatever_an_agent_writes_there_raises_nothing(content: bytes) -> None:
    read_session(content)
    read_last_error(b'{"isApiErrorMessage":true,' + content)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_a_field_of_another_type_is_as_if_absent(value: object) -> None:
    names = ("message", "quotaLimits", "apiErrorStatus", "apiError", "apiErrorIsTransient", "requestId")
    assert isinstance(read_last_error(a_line(**dict.fromkeys(names, value))), ApiError)
