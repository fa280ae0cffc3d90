"""The stand-in for the Messages API, asked by a plain HTTP client in the way Claude Code asks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.standin import Error, HangUp, ModelRequest, Reply, Standin, Text, Tool

REMINDER = {"type": "text", "text": "<system-reminder>\nBe brief.\n</system-reminder>"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


def said(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [REMINDER, {"type": "text", "text": text}]}


def asking(*messages: dict[str, Any], tools: tuple[str, ...] = ("Bash",), stream: bool = True) -> dict[str, Any]:
    return {"model": "m", "stream": stream, "messages": list(messages), "tools": [{"name": name} for name in tools]}


async def ask(http: aiohttp.ClientSession, standin: Standin, body: dict[str, Any], credential: str = "key-1") -> tuple[int, str]:
    headers = {"x-api-key": credential, "x-claude-code-session-id": "s-1"}
    async with http.post(f"{standin.url}/v1/messages?beta=true", json=body, headers=headers) as answer:
        return answer.status, await answer.text()


def events(stream: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


async def test_a_text_is_streamed_in_pieces_that_end_the_turn(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.script(lambda request: Text("All of it is done. " * 10))

    status, stream = await ask(http, standin, asking(said("go")))

    told = events(stream)
    assert status == 200
    assert [told[0]["type"], told[-1]["type"]] == ["message_start", "message_stop"]
    assert told[-2]["delta"]["stop_reason"] == "end_turn"
    deltas = [one["delta"]["text"] for one in told if one["type"] == "content_block_delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == "All of it is done. " * 10


async def test_a_tool_call_carries_its_command(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.script(lambda request: Tool("echo hi", text="Working", background=True))

    _, stream = await ask(http, standin, asking(said("go")))

    blocks = [one["content_block"]["type"] for one in events(stream) if one["type"] == "content_block_start"]
    asked = next(one["delta"]["partial_json"] for one in events(stream) if "partial_json" in one.get("delta", {}))
    assert blocks == ["text", "tool_use"]
    assert json.loads(asked)["command"] == "echo hi"
    assert json.loads(asked)["run_in_background"] is True
    assert events(stream)[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_request_that_wants_no_stream_gets_one_message(standin: Standin, http: aiohttp.ClientSession) -> None:
    _, body = await ask(http, standin, asking(said("go"), stream=False))

    assert json.loads(body)["content"] == [{"type": "text", "text": "Done."}]


async def test_the_script_sees_what_was_said_without_reminders(standin: Standin, http: aiohttp.ClientSession) -> None:
    calls = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]}
    results = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.py", "is_error": False}, REMINDER],
    }

    await ask(http, standin, asking({"role": "system", "content": "You are brief."}, said("task 1"), calls, results))
    await ask(http, standin, asking(said("task 1"), calls, results, said("Stop hook feedback:\ntask 2")))

    first, second = standin.requests
    assert (first.n, first.session, first.credential) == (1, "s-1", "key-1")
    assert (first.user_texts, first.is_after_tool) == (["task 1"], True)
    assert [result.text for result in first.tool_results] == ["a.py"]
    assert [call["command"] for call in first.tool_calls] == ["ls"]
    assert first.mentions("a.py")
    assert not first.mentions("task 2")
    assert (second.stop_answer, second.is_after_tool) == ("task 2", False)


async def test_a_usage_limit_names_its_reset(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.refuse("key-1", Error.usage_limit(1_900_000_000))

    async with http.post(f"{standin.url}/v1/messages", json=asking(said("go")), headers={"x-api-key": "key-1"}) as answer:
        assert answer.status == 429
        assert answer.headers["anthropic-ratelimit-unified-5h-reset"] == "1900000000"
        assert (await answer.json())["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Error.throttled(), 429),
        (Error.overloaded(), 529),
        (Error.server_error(), 500),
        (Error.unauthorized(), 401),
        (Error.revoked(), 403),
        (Error.out_of_credit(), 400),
    ],
)
async def test_each_refusal_has_its_status(standin: Standin, http: aiohttp.ClientSession, error: Error, status: int) -> None:
    standin.script(lambda request: error)

    answered, body = await ask(http, standin, asking(said("go")))

    assert answered == status
    assert json.loads(body)["error"]["type"] == error.kind


async def test_a_refused_credential_is_refused_until_it_is_accepted(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.refuse("key-1", Error.unauthorized())

    assert (await ask(http, standin, asking(said("go")), "key-1"))[0] == 401
    assert (await ask(http, standin, asking(said("go")), "key-2"))[0] == 200
    standin.accept("key-1")
    assert (await ask(http, standin, asking(said("go")), "key-1"))[0] == 200


async def test_delays_show_in_the_times(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.script(lambda request: Text(delay=0.05, end_after=0.05))

    before = time.monotonic()
    await ask(http, standin, asking(said("go")))
    after = time.monotonic()

    exchange = standin.exchanges[0]
    assert exchange.ended is not None
    assert before < exchange.request.started < exchange.ended < after
    assert exchange.ended - exchange.request.started >= 0.1


@pytest.mark.parametrize("reply", [HangUp(), Text("half", cut=True)])
async def test_a_lost_connection_is_lost_for_the_client(standin: Standin, http: aiohttp.ClientSession, reply: Reply) -> None:
    standin.script(lambda request: reply)

    with pytest.raises(aiohttp.ClientError):
        await ask(http, standin, asking(said("go")))

    assert standin.exchanges[0].ended is None


async def test_a_reply_can_be_held_back(standin: Standin, http: aiohttp.ClientSession) -> None:
    let_go = asyncio.Event()

    async def hold(request: ModelRequest) -> Reply:
        await let_go.wait()
        return Text()

    standin.script(hold)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(http, standin, asking(said("go"))), name="ask")
        held = await standin.wait_for(lambda exchange: exchange.request.last_user_text == "go")
        assert held.reply is None
        let_go.set()

    assert (await standin.wait_for(lambda exchange: exchange.ended is not None)) is held


async def test_waiting_in_vain_tells_what_was_asked(standin: Standin, http: aiohttp.ClientSession) -> None:
    await ask(http, standin, asking(said("task 1")))

    with pytest.raises(TimeoutError, match="'task 1'"):
        await standin.wait_for(lambda exchange: exchange.request.last_user_text == "task 2", timeout=0.01)


async def test_a_request_without_tools_is_not_an_agents(standin: Standin, http: aiohttp.ClientSession) -> None:
    standin.script(lambda request: Error.overloaded())

    status, _ = await ask(http, standin, asking(said("a title, please"), tools=()))

    assert status == 200
    assert standin.requests == []


async def test_a_mistake_in_the_script_is_raised_when_the_standin_closes(http: aiohttp.ClientSession) -> None:
    def mistaken(request: ModelRequest) -> Reply:
        raise KeyError("no such task")

    async def ask_the_mistaken() -> None:
        async with Standin() as standin:
            standin.script(mistaken)
            assert (await ask(http, standin, asking(said("go"))))[0] == 400

    with pytest.raises(ExceptionGroup, match="script failed"):
        await ask_the_mistaken()


async def test_other_routes_answer_as_the_api_does(standin: Standin, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{standin.url}/api/hello") as answer:
        assert answer.status == 200
    async with http.post(f"{standin.url}/v1/messages/count_tokens", json=asking(said("go"))) as answer:
        assert (await answer.json())["input_tokens"] > 0
    async with http.get(f"{standin.url}/v1/models") as answer:
        assert answer.status == 404
    assert standin.other_requests == ["GET /api/hello", "GET /v1/models"]
