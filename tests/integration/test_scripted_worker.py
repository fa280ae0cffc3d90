"""The scripted agent together with the scripts that run inside a real one: entrypoint, hook and orch."""

import json
from pathlib import Path

from orchestrad.demo.project import agent_command
from tests.support.agent_side import HOOKS, AgentSide, Answer, DaemonStandin, Post, until

FIRST = "# Add one\n\n```sh\necho one > one.txt\n```\n"
SECOND = "# Add two\n\n```sh\necho two > two.txt\n```\n"


def prepare(side: AgentSide) -> Path:
    """A home that needs no dialogs, and the settings that fire the hook script."""
    trusted = {str(side.workspace): {"hasTrustDialogAccepted": True}}
    (side.home / ".claude.json").write_text(json.dumps({"hasCompletedOnboarding": True, "projects": trusted}))
    events = ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")
    hooks = {event: [{"hooks": [{"type": "command", "command": f"{HOOKS}/hook {event}", "timeout": 30}]}] for event in events}
    settings = side.run / "settings.json"
    settings.write_text(json.dumps({"skipDangerousModePermissionPrompt": True, "hooks": hooks}))
    return settings


async def test_a_worker_is_handed_its_next_task_with_its_branch_by_the_stop_hook(tmp_path: Path) -> None:
    async with DaemonStandin() as daemon:
        side = AgentSide(tmp_path, daemon.url)
        base = side.make_hub()
        side.describe(branch="worker-1/one", base=base, nonce="aaa1")
        (side.run / "texts").mkdir()
        text = side.run / "texts" / "aaa1"
        text.write_text(FIRST)
        stops = 0

        def script(post: Post) -> Answer:
            nonlocal stops
            if post.lines.get("event") != "Stop":
                return Answer("noted\n" if post.path == "orch" else "")
            stops += 1
            block = json.dumps({"decision": "block", "reason": SECOND})
            return Answer(block, checkout=f"worker-1/two {post.lines['head']}", nonce="bbb2") if stops == 1 else Answer()

        daemon.script = script
        argv = [*agent_command(0.01), "--dangerously-skip-permissions", "--settings", str(prepare(side))]
        prompt = f"orchestrad aaa1: read {text} and do the task it describes."
        ran = await side.call("entrypoint", *argv, prompt, IS_SANDBOX="1", AGENT_NAME="worker-1")

        assert ran.code == 0, ran
        assert [post.lines.get("verb") for post in daemon.to("orch")] == ["done", "done"]
        assert [post.lines["nonce"] for post in daemon.to("acknowledge")] == ["bbb2"]
        ended = [post for post in daemon.to("hook") if post.lines["event"] == "Stop"]
        assert [(post.lines["branch"], post.lines["changes"]) for post in ended] == [("worker-1/one", "0"), ("worker-1/two", "0")]
        assert [post.lines["event"] for post in daemon.to("hook")][-1] == "SessionEnd"
        assert side.git("log", "--format=%s", "worker-1/two").splitlines() == ["Add two", "Add one", "Begin"]
        await until(lambda: side.spool == [])
