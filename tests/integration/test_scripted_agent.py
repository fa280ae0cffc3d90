"""The scripted agent at its borders, where it must do as the CLI was observed to do."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scripted_agent import CONVERSATION, LIMIT, HookServer, Place, Terminal, terminal

TASK = "# Add {0}\n\nPlease.\n\n```sh\necho {0} > {0}.txt\n```\n"
SLOW = "# Be slow\n\n```sh\necho $$ > pid\nsleep 60\n```\n"


@pytest.fixture
def server() -> Iterator[HookServer]:
    hooks = HookServer()
    yield hooks
    hooks.close()


@pytest.fixture
def place(tmp_path: Path, server: HookServer) -> Place:
    return Place(tmp_path, server)


def blocking(reason: str) -> dict[str, str]:
    return {"decision": "block", "reason": reason}


def is_alive(pid: int) -> bool:
    """A zombie that nobody has reaped yet is dead."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def asleep_in_its_tool(place: Place, agent: Terminal) -> int:
    """Waits until the SLOW task's script runs; the result is its pid."""
    file = place.workspace / "pid"
    agent.until(lambda: file.exists() and file.read_text().strip(), "the script of the slow task runs")
    return int(file.read_text())


def test_a_task_is_read_done_committed_and_told_with_the_hooks_of_the_cli(place: Place, server: HookServer) -> None:
    with terminal(place, "--session-id", CONVERSATION, place.text("t1", TASK.format("a"))) as agent:
        agent.until(lambda: server.of("Stop") and place.status() == "idle", "the turn ends")
        agent.press("/exit\r")
        assert agent.wait() == 0
    assert place.subjects() == ["first", "Add a"]
    assert place.said() == ["done -m Add a"]
    tool = ["PreToolUse", "PostToolUse"]
    assert server.events() == ["SessionStart", "UserPromptSubmit", *tool * 4, "Stop", "SessionEnd"]
    assert server.of("SessionStart")[0]["source"] == "startup"
    assert [post["tool_name"] for post in server.of("PreToolUse")] == ["Read", "Bash", "Bash", "Bash"]
    stop = server.of("Stop")[0]
    assert (stop["session_id"], stop["cwd"]) == (CONVERSATION, str(place.workspace))
    assert (stop["stop_hook_active"], stop["background_tasks"], stop["session_crons"]) == (False, [], [])
    assert server.of("SessionEnd")[0]["reason"] == "prompt_input_exit"
    assert [line["type"] for line in place.transcript()] == ["user", *["assistant", "user"] * 4, "assistant"]
    assert list((place.home / ".claude" / "sessions").iterdir()) == []


def test_http_hooks_carry_only_the_variables_that_are_allowed(place: Place, server: HookServer) -> None:
    with terminal(place, "hello") as agent:
        agent.until(lambda: server.of("Stop"), "the turn ends")
    headers = server.headers[server.events().index("Stop")]
    assert (headers["authorization"], headers["x-home"]) == ("Bearer token-1", "")


def test_a_stop_that_is_blocked_goes_on_with_the_reason_in_the_same_turn(place: Place, server: HookServer) -> None:
    server.answers["Stop"] = [blocking(TASK.format("b")), blocking(TASK.format("c"))]
    with terminal(place, place.text("t1", TASK.format("a"))) as agent:
        agent.until(lambda: len(server.of("Stop")) == 3 and place.status() == "idle", "three stops")
    assert place.subjects() == ["first", "Add a", "Add b", "Add c"]
    assert [stop["stop_hook_active"] for stop in server.of("Stop")] == [False, True, True]
    assert len({stop["prompt_id"] for stop in server.of("Stop")}) == 1
    assert len(server.of("UserPromptSubmit")) == 1


def test_a_command_hook_answers_on_stdout(place: Place, server: HookServer) -> None:
    answer = place.directory / "answer"
    answer.write_text(json.dumps(blocking(TASK.format("b"))))
    settings = json.loads(place.settings.read_text())
    command = f"cat >> {place.directory}/stops; cat {answer} 2>/dev/null && rm {answer}"
    settings["hooks"]["Stop"] = [{"hooks": [{"type": "command", "command": command, "timeout": 5}]}]
    place.settings.write_text(json.dumps(settings))
    with terminal(place, place.text("t1", TASK.format("a"))) as agent:
        agent.until(lambda: "Add b" in place.subjects() and place.status() == "idle", "both tasks are done")
    assert (place.directory / "stops").read_text().count('"hook_event_name": "Stop"') == 2


def test_a_stop_hook_that_fails_lets_the_turn_end(place: Place, server: HookServer) -> None:
    server.answers["Stop"] = [500]
    with terminal(place, "hello") as agent:
        agent.until(lambda: "Stop hook failed" in agent.text() and place.status() == "idle", "the turn ends")
    assert len(server.of("Stop")) == 1


def test_blocks_without_a_tool_in_between_are_capped_unless_the_cap_is_off(place: Place, server: HookServer) -> None:
    server.answers["UserPromptSubmit"] = []
    server.answers["Stop"] = [blocking("continue") for _ in range(12)]
    with terminal(place, "hello") as agent:
        agent.until(lambda: place.status() == "idle" and len(server.of("Stop")) >= 9, "the cap ends the turn")
        assert len(server.of("Stop")) == 9
    place.environment["CLAUDE_CODE_STOP_HOOK_BLOCK_CAP"] = "0"
    server.posts.clear()
    server.answers["Stop"] = [blocking("continue") for _ in range(12)]
    with terminal(place, "hello") as agent:
        agent.until(lambda: len(server.of("Stop")) == 13, "all blocks count")


def test_a_refused_prompt_stands_in_the_composer_again(place: Place, server: HookServer) -> None:
    server.answers["UserPromptSubmit"] = [blocking("it was given before")]
    with terminal(place) as agent:
        agent.until(lambda: server.of("SessionStart") and place.status() == "idle", "the agent is ready")
        agent.press("do it again\r")
        agent.until(lambda: "operation blocked by hook: it was given before" in agent.text(), "it is refused")
        agent.until(lambda: agent.composer() == "do it again", "the text stands again")
        agent.press("\x15")
        agent.until(lambda: agent.composer() == "", "Ctrl-U clears it")
    assert "Stop" not in server.events()


def test_escape_ends_a_turn_and_its_tool_without_any_hook(place: Place, server: HookServer) -> None:
    with terminal(place, place.text("t1", SLOW)) as agent:
        pid = asleep_in_its_tool(place, agent)
        assert place.status() == "busy"
        agent.press("\x1b")
        agent.until(lambda: place.status() == "idle", "the turn ends")
        agent.until(lambda: not is_alive(pid), "the tool is ended")
    assert not {"Stop", "StopFailure", "SessionEnd"} & set(server.events())


def test_escape_ends_a_stop_hook_that_waits(place: Place, server: HookServer) -> None:
    server.hold.clear()
    with terminal(place, "hello") as agent:
        agent.until(lambda: server.of("Stop"), "the hook is asked")
        assert place.status() == "busy"
        agent.press("\x1b")
        agent.until(lambda: place.status() == "idle", "the turn ends")


def test_escape_before_any_answer_puts_the_prompt_back(place: Place, server: HookServer) -> None:
    place.environment["ORCHESTRAD_SCRIPT_PACE"] = "30"
    with terminal(place) as agent:
        agent.until(lambda: server.of("SessionStart") and place.status() == "idle", "the agent is ready")
        agent.press("think about it\r")
        agent.until(lambda: server.of("UserPromptSubmit") and len(list(place.home.rglob("*.jsonl"))) == 1, "the prompt is taken")
        agent.press("\x1b")
        agent.until(lambda: place.status() == "idle" and agent.composer() == "think about it", "the prompt stands again")


def test_a_prompt_typed_in_mid_turn_joins_it(place: Place, server: HookServer) -> None:
    server.hold.clear()
    server.answers["Stop"] = [blocking(TASK.format("b"))]
    with terminal(place, place.text("t1", TASK.format("a"))) as agent:
        agent.until(lambda: server.of("Stop"), "the hook is asked")
        agent.press("how is it going\r")
        agent.until(lambda: len(server.of("UserPromptSubmit")) == 2, "the prompt is told at once")
        agent.until(lambda: "Press up to edit queued messages" in agent.text(), "it is queued")
        server.hold.set()
        agent.until(lambda: place.status() == "idle" and "Add b" in place.subjects(), "the turn ends")
    assert "You said: how is it going" in agent.text()
    assert len(server.of("Stop")) == 2


def test_a_long_paste_is_folded_and_arrives_wrapped(place: Place, server: HookServer) -> None:
    with terminal(place) as agent:
        agent.until(lambda: server.of("SessionStart") and place.status() == "idle", "the agent is ready")
        agent.press("\x1b[200~one\ntwo\nthree\nfour\x1b[201~")
        agent.until(lambda: agent.composer() == "[Pasted text #1 +3 lines]", "the paste is folded")
        agent.press("\r")
        agent.until(lambda: server.of("UserPromptSubmit"), "it is sent")
        agent.press("\x1b[200~short\ntext\x1b[201~\r")
        agent.until(lambda: len(server.of("UserPromptSubmit")) == 2, "the short one is sent")
    long, short = (post["prompt"] for post in server.of("UserPromptSubmit"))
    assert long.startswith("\n\n<pasted_content id=")
    assert "\none\ntwo\nthree\nfour\n</pasted_content" in long
    assert short == "short\ntext"


def test_a_resumed_agent_goes_on_where_the_killed_one_stood(place: Place, server: HookServer) -> None:
    script = "# Two steps\n\n```sh\necho once >> runs\n[ -e seen ] || { touch seen; echo $$ > pid; sleep 60; }\n```\n"
    with terminal(place, "--session-id", CONVERSATION, place.text("t1", script)) as agent:
        pid = asleep_in_its_tool(place, agent)
        agent.process.send_signal(signal.SIGKILL)
        assert agent.wait() == -signal.SIGKILL
        os.killpg(pid, signal.SIGKILL)  # a tool survives the CLI; its engine would end it
    before = place.transcript()
    with terminal(place, "--resume", CONVERSATION, "orchestrad 77aa: continue with your task.") as agent:
        agent.until(lambda: server.of("Stop") and place.status() == "idle", "the task is done")
    assert server.of("SessionStart")[1]["source"] == "resume"
    assert {post["session_id"] for post in server.posts} == {CONVERSATION}
    after = place.transcript()
    assert after[: len(before)] == before
    assert "Tool call interrupted" in after[len(before)]["message"]["content"][0]["content"]
    assert sum(post["tool_name"] == "Read" for post in server.of("PreToolUse")) == 1
    assert place.subjects() == ["first", "Two steps"]
    assert place.said() == ["done -m Two steps"]


def test_a_death_that_the_task_orders_happens_once(place: Place, server: HookServer) -> None:
    task = TASK.format("a") + "<!-- act: exit 137 -->"
    with terminal(place, "--session-id", CONVERSATION, place.text("t1", task)) as agent:
        assert agent.wait() == -signal.SIGKILL
    with terminal(place, "--resume", CONVERSATION, "orchestrad 77aa: continue.") as agent:
        agent.until(lambda: server.of("Stop"), "the task is done")
    assert place.subjects() == ["first", "Add a"]


def test_sigterm_ends_tool_and_agent_and_says_so(place: Place, server: HookServer) -> None:
    with terminal(place, place.text("t1", SLOW)) as agent:
        pid = asleep_in_its_tool(place, agent)
        agent.process.terminate()
        assert agent.wait() == 128 + signal.SIGTERM
        agent.until(lambda: not is_alive(pid), "the tool is ended")
    assert server.events()[-1] == "SessionEnd"
    assert server.of("SessionEnd")[0]["reason"] == "other"
    assert "Stop" not in server.events()


def test_a_terminal_that_goes_away_ends_the_agent_with_a_word(place: Place, server: HookServer) -> None:
    with terminal(place) as agent:
        agent.until(lambda: server.of("SessionStart") and place.status() == "idle", "the agent is ready")
        agent.hang_up()
        agent.process.send_signal(signal.SIGHUP)
        assert agent.process.wait(LIMIT) == 128 + signal.SIGHUP
    assert server.of("SessionEnd")[0]["reason"] == "other"


def test_two_ctrl_c_leave_an_idle_agent(place: Place, server: HookServer) -> None:
    with terminal(place) as agent:
        agent.until(lambda: server.of("SessionStart") and place.status() == "idle", "the agent is ready")
        agent.press("half a th\x03")
        agent.until(lambda: agent.composer() == "", "the first clears the composer")
        agent.press("\x03")
        agent.until(lambda: "Press Ctrl-C again" in agent.text(), "it asks")
        agent.press("\x03")
        assert agent.wait() == 0
    assert server.of("SessionEnd")[0]["reason"] == "prompt_input_exit"


def test_a_new_size_draws_the_rules_anew(place: Place, server: HookServer) -> None:
    with terminal(place) as agent:
        agent.until(lambda: "─" * 80 in agent.text(), "the composer is drawn")
        agent.press("half")
        agent.until(lambda: agent.composer() == "half", "the text is drawn")
        agent.output = ""
        agent.resize(20, 50)
        agent.process.send_signal(signal.SIGWINCH)
        agent.until(lambda: "─" * 50 in agent.text() and agent.composer() == "half", "it is drawn anew")
    assert "─" * 51 not in agent.text()


def test_background_work_outlives_the_turn_and_begins_another(place: Place, server: HookServer) -> None:
    task = TASK.format("a") + "<!-- act: background 0.5 -->"
    with terminal(place, place.text("t1", task)) as agent:
        agent.until(lambda: len(server.of("Stop")) == 1 and place.status() == "shell", "the turn ends, the work runs on")
        assert place.said() == []
        agent.until(lambda: len(server.of("Stop")) == 2 and place.status() == "idle", "its end begins a turn")
    (running,) = server.of("Stop")[0]["background_tasks"]
    assert (running["type"], running["status"], running["command"]) == ("shell", "running", "sleep 0.5")
    assert server.of("Stop")[1]["background_tasks"] == []
    assert server.of("UserPromptSubmit")[1]["prompt"].startswith("<task-notification>")
    assert place.said() == ["done -m Add a"]


def test_an_api_error_ends_the_turn_with_stop_failure_and_a_later_line(place: Place, server: HookServer) -> None:
    task = TASK.format("a") + "<!-- act: fail usage_limit 600 -->"
    with terminal(place, place.text("t1", task)) as agent:
        agent.until(lambda: server.of("StopFailure") and place.status() == "idle", "the turn ends")
        assert server.of("StopFailure")[0]["error"] == "rate_limit"
        last = place.transcript()[-1]
        assert last["isApiErrorMessage"] is True
        assert last["quotaLimits"]["status"] == "rejected"
        agent.press("orchestrad 77aa: continue.\r")
        agent.until(lambda: server.of("Stop"), "continue goes on with the task")
    assert place.said() == ["done -m Add a"]


@pytest.mark.parametrize(
    ("act", "reminders", "said"),
    [
        ("no-done", 1, ["done -m Add a"]),
        ("no-commit", 1, ["done -m Add a"]),
        ("talk", 1, ["done -m Add a"]),
        ("no-done, stubborn", 2, []),
        ('blocked "no key"', 0, ["blocked no key"]),
        ('ask "Which colour?"', 0, ["ask Which colour?"]),
        ('no-change "it is there"', 0, ["done --no-change it is there -m Add a"]),
    ],
)
def test_an_agent_behaves_as_its_task_says(place: Place, server: HookServer, act: str, reminders: int, said: list[str]) -> None:
    server.answers["Stop"] = [blocking("Commit your work and say `orch done`.") for _ in range(reminders)]
    with terminal(place, place.text("t1", f"{TASK.format('a')}<!-- act: {act} -->")) as agent:
        agent.until(lambda: len(server.of("Stop")) == reminders + 1 and place.status() == "idle", "the last stop")
    assert place.said() == said


def test_a_used_session_id_and_an_unknown_resume_are_refused(place: Place, server: HookServer) -> None:
    with terminal(place, "--session-id", CONVERSATION, "hello") as agent:
        agent.until(lambda: server.of("Stop"), "the turn ends")
    with terminal(place, "--session-id", CONVERSATION, "hello") as agent:
        assert agent.wait() == 1
    with terminal(place, "--resume", CONVERSATION[::-1]) as agent:
        assert agent.wait() == 1


def test_a_home_that_was_not_prepared_is_refused(place: Place, server: HookServer) -> None:
    (place.home / ".claude.json").write_text('{"hasCompletedOnboarding": true}')
    with terminal(place, "hello") as agent:
        assert agent.wait() == 1
        assert "is not trusted" in agent.text().replace("\r\n", "")
    assert server.posts == []


def test_hooks_that_a_repository_switches_off_are_silent_unless_given_with_a_counter_order(
    place: Place, server: HookServer
) -> None:
    (place.workspace / ".claude").mkdir()
    (place.workspace / ".claude" / "settings.json").write_text('{"disableAllHooks": true}')
    with terminal(place, "--session-id", CONVERSATION, "hello") as agent:
        agent.until(lambda: "You said: hello" in agent.text() and place.status() == "idle", "the turn ends")
    assert server.posts == []
    place.settings.write_text(json.dumps(json.loads(place.settings.read_text()) | {"disableAllHooks": False}))
    with terminal(place, "hello") as agent:
        agent.until(lambda: server.of("Stop"), "the turn ends")


def test_without_a_terminal_it_keeps_a_plain_log_and_leaves_at_the_end_of_input(place: Place, server: HookServer) -> None:
    done = subprocess.run(
        place.argv(),
        input="hello\n",
        env=place.environment,
        cwd=place.workspace,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0
    assert "● You said: hello" in done.stdout
    assert "\x1b" not in done.stdout
    assert server.events()[-2:] == ["Stop", "SessionEnd"]
