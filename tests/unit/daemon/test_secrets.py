"""Which values count as secrets, and that they are those of this moment."""

import json

from orchestrad.core.ids import AgentName, Epoch, run_token
from orchestrad.core.states import AgentState
from orchestrad.credentials.fake import FakeCredentials
from orchestrad.daemon.secrets import LiveSecrets, secrets_of
from tests.support.worlds import a_world, worker

KEY = "sk-ant-api03-0123456789abcdef"
OTHER = "sk-ant-oat01-0123456789abcdef"


async def test_secrets_that_go_along_count_and_regions_models_and_addresses_do_not() -> None:
    aws = {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "AWS_SECRET_ACCESS_KEY": "very/secret+access",
        "AWS_REGION": "eu-central-1",
        "ANTHROPIC_MODEL": "claude-something",
    }
    proxied = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "https://proxy.example", "ANTHROPIC_CUSTOM_HEADERS": "X-Key: abcdef"}
    login = {"ANTHROPIC_API_KEY": OTHER, "ANTHROPIC_BASE_URL": "https://me:password@proxy.example"}
    pool = FakeCredentials({name: json.dumps({"env": env}) for name, env in (("a", aws), ("b", proxied), ("c", login))})
    assert secrets_of(await pool.read()) == {
        "very/secret+access",
        *(KEY, "X-Key: abcdef"),
        *(OTHER, "https://me:password@proxy.example"),
    }


async def test_live_are_the_pool_of_this_moment_and_the_tokens_of_present_runs() -> None:
    worlds = [a_world(worker("worker-1", AgentState.WORKING, epoch=3), worker("worker-2", AgentState.STOPPED))]
    pool = FakeCredentials({"a.json": KEY})
    live = LiveSecrets(pool, world=lambda: worlds[-1], secret=b"secret")
    assert await live() == {KEY, run_token(b"secret", AgentName("worker-1"), Epoch(3))}
    worlds.append(a_world(worker("worker-1", AgentState.WORKING, epoch=4)))
    pool.delete("a.json")
    pool.write("b.json", OTHER)
    assert await live() == {OTHER, run_token(b"secret", AgentName("worker-1"), Epoch(4))}


async def test_a_pool_that_cannot_be_read_is_what_it_was() -> None:
    pool = FakeCredentials({"a.json": KEY})
    live = LiveSecrets(pool, world=a_world, secret=b"secret")
    await live()
    pool.go_away()
    assert await live() == {KEY}
