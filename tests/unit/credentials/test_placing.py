"""Each kind of credential goes where the CLI finds it and nothing else does."""

import json
from pathlib import PurePath

import pytest

from orchestrad.config.credential_file import parse_credential
from orchestrad.credentials.placing import placement
from orchestrad.credentials.port import Credential, CredentialKind, Secret
from tests.support.config_directory import KEY, TOKEN


def read(content: object) -> Credential:
    return parse_credential(json.dumps(content).encode(), {})[0]


@pytest.mark.parametrize("variable", ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"])
def test_a_token_lies_in_the_settings_env(variable: str) -> None:
    placed = placement(read({"env": {variable: "t", "ANTHROPIC_BASE_URL": "http://x"}}))
    assert placed.settings() == {"env": {variable: "t", "ANTHROPIC_BASE_URL": "http://x"}}
    assert placed.key is None


def test_a_key_lies_in_a_file_and_never_in_env() -> None:
    placed = placement(read({"env": {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://x"}}), PurePath("/a b/key"))
    assert placed.key == Secret(KEY)
    assert placed.settings() == {
        "env": {"ANTHROPIC_BASE_URL": "http://x", "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "1000"},
        "apiKeyHelper": "cat '/a b/key'",
    }


def test_bare_keys_and_tokens_are_placed_by_their_kind() -> None:
    assert placement(read(KEY)).key == Secret(KEY)
    assert placement(read(TOKEN)).settings() == {"env": {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}}


def test_a_providers_switch_and_login_pass_through() -> None:
    env = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1", "AWS_SECRET_ACCESS_KEY": "s"}
    credential = read({"env": env})
    assert credential.kind is CredentialKind.PROVIDER
    assert placement(credential).settings() == {"env": env}


def test_a_placement_shows_no_secret() -> None:
    assert KEY not in repr(placement(read(KEY)))
    assert TOKEN not in repr(placement(read(TOKEN)))
    assert TOKEN not in repr(read(TOKEN))


def test_an_oauth_file_is_not_placed_by_settings() -> None:
    with pytest.raises(ValueError, match="bug"):
        placement(read({"claudeAiOauth": {"accessToken": "a"}}))
