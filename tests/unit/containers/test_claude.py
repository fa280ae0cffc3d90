import json
from pathlib import PurePosixPath

from orchestrad.config.credential_file import Credential, CredentialKind
from orchestrad.config.secret import Secret
from orchestrad.containers.claude import IN_CONTAINER, Places, argv, environment, home, policy, with_credential
from orchestrad.core.ids import MANAGER, ConversationId, worker
from orchestrad.credentials.placing import placement

KEY = Secret("sk-ant-api03-abcdefghijklmnopqrstuvwxyz")
WORKSPACE = PurePosixPath("/workspace")


def a_policy(**more: object) -> dict[str, object]:
    return policy(IN_CONTAINER, daemon="http://d:1", token=Secret("worker-1.3.proof"), **more)  # type: ignore[arg-type]  # keywords of a test


def test_every_event_of_the_protocol_has_its_hook() -> None:
    hooks = a_policy()["hooks"]
    assert isinstance(hooks, dict)
    commands = {event: groups[0]["hooks"][0].get("command") for event, groups in hooks.items()}
    assert commands["Stop"] == "exec /opt/orchestrad/hook Stop"
    assert {event for event, command in commands.items() if command} == {
        "SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd",
    }  # fmt: skip
    assert hooks["ConfigChange"][0]["hooks"][0] == {
        "type": "http", "url": "http://d:1/event", "timeout": 2, "headers": {"Authorization": "Bearer worker-1.3.proof"},
    }  # fmt: skip


def test_a_path_with_a_blank_is_one_word_to_the_shell() -> None:
    places = Places(*(PurePosixPath("/my state") / name for name in ("h", "w", "p", "r", "hooks", "o")))
    settings = policy(places, daemon="http://d:1", token=Secret("t"))
    assert settings["hooks"]["Stop"][0]["hooks"][0]["command"] == "exec '/my state/hooks/hook' Stop"
    assert settings["statusLine"]["command"] == "'/my state/hooks/statusline'"


def test_foreign_hooks_run_unless_the_config_says_no() -> None:
    assert "allowManagedHooksOnly" not in a_policy()
    assert a_policy(repository_hooks=False)["allowManagedHooksOnly"] is True
    assert a_policy()["disableAllHooks"] is False


def test_the_model_is_named_only_when_one_is_chosen() -> None:
    assert "model" not in a_policy()
    assert a_policy(model="opus")["model"] == "opus"


def test_a_credential_takes_the_place_of_the_one_before() -> None:
    token = Credential(CredentialKind.TOKEN, Secret("sk-ant-oat01-x"), "CLAUDE_CODE_OAUTH_TOKEN")
    key = Credential(CredentialKind.API_KEY, KEY, "ANTHROPIC_API_KEY")
    first = with_credential(a_policy(), placement(token))
    second = with_credential(first, placement(key, IN_CONTAINER.key_file))
    assert first["env"] == {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x"}
    assert second["apiKeyHelper"] == "cat /run/orchestrad/api-key"
    assert "sk-ant" not in json.dumps(second)
    assert with_credential(second, None) == a_policy()


def test_a_home_answers_all_that_the_cli_would_ask_and_keeps_the_rest() -> None:
    found = {
        "numStartups": 4,
        "projects": {"/workspace": {"lastCost": 1}, "/other": {}},
        "customApiKeyResponses": {"approved": ["old"], "rejected": ["ghijklmnopqrstuvwxyz"]},
    }
    assert home(found, workspace=WORKSPACE, approved=[KEY]) == {
        "numStartups": 4,
        "hasCompletedOnboarding": True,
        "projects": {"/workspace": {"lastCost": 1, "hasTrustDialogAccepted": True}, "/other": {}},
        "customApiKeyResponses": {"approved": ["old", "ghijklmnopqrstuvwxyz"], "rejected": []},
    }


def test_a_home_that_the_agent_spoiled_is_made_fit_all_the_same() -> None:
    spoiled = {"projects": ["?"], "customApiKeyResponses": {"approved": [1, "a"], "rejected": None}}
    assert home(spoiled, workspace=WORKSPACE)["projects"] == {"/workspace": {"hasTrustDialogAccepted": True}}
    assert home(spoiled, workspace=WORKSPACE)["customApiKeyResponses"] == {"approved": ["a"], "rejected": []}


def test_a_home_made_fit_twice_is_the_same() -> None:
    once = home({}, workspace=WORKSPACE, approved=[KEY])
    assert home(once, workspace=WORKSPACE, approved=[KEY]) == once


def test_the_environment_names_the_agent_and_holds_no_secret() -> None:
    variables = environment(IN_CONTAINER, agent=worker(2), workers=3, daemon_host="172.30.0.1")
    assert (variables["AGENT_NAME"], variables["WORKER_ID"], variables["TOTAL_WORKERS"]) == ("worker-2", "2", "3")
    assert variables["GIT_CONFIG_GLOBAL"] == "/run/orchestrad/gitconfig"
    assert "172.30.0.1" in variables["NO_PROXY"].split(",")
    assert environment(IN_CONTAINER, agent=MANAGER, workers=3, daemon_host="d")["WORKER_ID"] == "0"


def test_a_conversation_is_begun_or_resumed() -> None:
    begun = argv(("claude",), IN_CONTAINER, conversation=ConversationId("c-1"), resume=False, prompt="orchestrad ab: do")
    assert begun == (
        "/opt/orchestrad/entrypoint", "claude", "--dangerously-skip-permissions", "--session-id", "c-1", "orchestrad ab: do",
    )  # fmt: skip
    resumed = argv(
        ("claude", "-x"), IN_CONTAINER, conversation=ConversationId("c-1"), resume=True, settings=PurePosixPath("/p/s.json")
    )
    assert resumed[1:] == ("claude", "-x", "--dangerously-skip-permissions", "--settings", "/p/s.json", "--resume", "c-1")
