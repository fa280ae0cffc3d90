"""What a credential file holds is told by its content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrad.config.credential_file import CredentialKind, NoCredential, parse_credential
from tests.support.config_directory import KEY, TOKEN


@pytest.mark.parametrize(
    ("content", "kind", "variable", "secret"),
    [
        (KEY, CredentialKind.API_KEY, "ANTHROPIC_API_KEY", KEY),
        (f"\ufeff  {KEY}\r\n", CredentialKind.API_KEY, "ANTHROPIC_API_KEY", KEY),
        (json.dumps(TOKEN), CredentialKind.TOKEN, "CLAUDE_CODE_OAUTH_TOKEN", TOKEN),
        ('{"env": {"ANTHROPIC_API_KEY": "any"}}', CredentialKind.API_KEY, "ANTHROPIC_API_KEY", "any"),
        ('{"env": {"ANTHROPIC_AUTH_TOKEN": "x-${V}"}}', CredentialKind.TOKEN, "ANTHROPIC_AUTH_TOKEN", "x-value"),
        ('{"env": {"CLAUDE_CODE_OAUTH_TOKEN": "t"}, "model": "x"}', CredentialKind.TOKEN, "CLAUDE_CODE_OAUTH_TOKEN", "t"),
        ('{"claudeAiOauth": {"accessToken": "a", "refreshToken": "r"}}', CredentialKind.OAUTH_FILE, "", "r"),
    ],
)
def test_each_kind_is_recognised(content: str, kind: CredentialKind, variable: str, secret: str) -> None:
    credential, _ = parse_credential(content.encode(), {"V": "value"})
    assert (credential.kind, credential.variable, credential.secret.reveal()) == (kind, variable, secret)


def test_settings_that_agents_are_not_given_are_named() -> None:
    env = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_CUSTOM_HEADERS": "X-A: b", "CLAUDE_CODE_STOP_HOOK_BLOCK_CAP": "3", "FOO": "b"}
    credential, left_out = parse_credential(json.dumps({"env": env}).encode(), {})
    assert set(credential.along) == {"ANTHROPIC_CUSTOM_HEADERS"}
    assert left_out == ("CLAUDE_CODE_STOP_HOOK_BLOCK_CAP", "FOO")


@pytest.mark.parametrize("value", ["0", "false"])
def test_a_switch_that_is_off_is_no_credential(value: str) -> None:
    with pytest.raises(NoCredential):
        parse_credential(json.dumps({"env": {"CLAUDE_CODE_USE_VERTEX": value}}).encode(), {})


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["env", "claudeAiOauth", "ANTHROPIC_API_KEY", "x"]), inner),
    ).map(lambda data: json.dumps(data).encode())
)
def test_any_content_is_a_credential_or_named_as_none(content: bytes) -> None:
    try:
        credential, _ = parse_credential(content, {})
    except NoCredential as caught:
        words = (caught.found, caught.expected, caught.remedy)
    else:
        words = (credential.kind, credential.secret.reveal(), credential.fingerprint)
    assert all(words)


def test_a_fault_never_shows_the_content() -> None:
    for content in ("hunter2", '{"env": {"ANTHROPIC_API_KEY": "hunter2 x"}}', '{"hunter2": 1}', '["hunter2"]', '{"hunter2'):
        with pytest.raises(NoCredential) as caught:
            parse_credential(content.encode(), {})
        assert "hunter2" not in str(caught.value)
