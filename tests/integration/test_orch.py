"""`orch`: an agent's word reaches the daemon, and the agent hears whether it did."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.agent_side import SHELLS, TOKEN, AgentSide, Answer, DaemonStandin, Ran


@pytest.fixture
async def daemon() -> AsyncIterator[DaemonStandin]:
    async with DaemonStandin() as daemon:
        daemon.script = lambda post: Answer("Noted.\nGo on.\n")
        yield daemon


@pytest.fixture(params=SHELLS, ids=" ".join)
async def side(request: pytest.FixtureRequest, daemon: DaemonStandin, tmp_path: Path) -> AgentSide:
    side = AgentSide(tmp_path, daemon.url, request.param)
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base, nonce="aaa1")
    return side


async def test_done_says_where_the_agent_is(side: AgentSide, daemon: DaemonStandin) -> None:
    head = side.commit("mine.txt", "mine")
    elsewhere = side.root / "elsewhere"
    elsewhere.mkdir()

    ran = await side.call("orch", "done", cwd=elsewhere)

    assert ran == Ran(0, "Noted.\nGo on.\n", "")
    [post] = daemon.posts
    assert (post.path, post.authorization, post.text) == ("orch", f"Bearer {TOKEN}", "")
    assert post.lines == {"id": "3.1", "verb": "done", "branch": "worker-1/one", "head": head, "nonce": "aaa1"}


@pytest.mark.parametrize(
    ("words", "text", "unchanged"),
    [
        (["done", "-m", 'mended $HOME `id` "it\'s"\n\nnow'], 'mended $HOME `id` "it\'s"\n\nnow', None),
        (["done", "--message=mended"], "mended", None),
        (["done", "--no-change", "was right"], "was right", "yes"),
        (["done", "-m", "a note", "--no-change=was right"], "a note\nwas right", "yes"),
        (["blocked", "no", "key\\n"], "no key\\n", None),
        (["ask", "--which\tone? ä"], "--which\tone? ä", None),
        (["tasks"], "", None),
    ],
)
async def test_words_arrive_as_they_were_said(
    side: AgentSide, daemon: DaemonStandin, words: list[str], text: str, unchanged: str | None
) -> None:
    assert (await side.call("orch", *words)).code == 0
    [post] = daemon.posts
    assert (post.lines["verb"], post.text, post.lines.get("no-change")) == (words[0], text, unchanged)


@pytest.mark.parametrize(
    "words", [["dnoe"], ["done", "all"], ["done", "-m"], ["done", "--no-change", ""], ["ask"], ["tasks", "mine"]]
)
async def test_misuse_posts_nothing_and_tells_how(side: AgentSide, daemon: DaemonStandin, words: list[str]) -> None:
    ran = await side.call("orch", *words)
    assert (ran.code, ran.out) == (2, "")
    assert "orch blocked WHY" in ran.err
    assert daemon.posts == []


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]])
async def test_help_needs_no_daemon(side: AgentSide, daemon: DaemonStandin, words: list[str]) -> None:
    ran = await side.call("orch", *words)
    assert ran.code == 0
    assert "orch ask QUESTION" in ran.out
    assert daemon.posts == []


async def test_a_word_that_is_declined_says_why(side: AgentSide, daemon: DaemonStandin) -> None:
    daemon.script = lambda post: Answer("You have no task.", status=422)
    assert await side.call("orch", "done") == Ran(1, "", "You have no task.\n")


async def test_a_run_that_is_over_hears_so_at_once(side: AgentSide, daemon: DaemonStandin) -> None:
    daemon.script = lambda post: Answer(status=410)
    ran = await side.call("orch", "done", limit=5)
    assert (ran.code, ran.out) == (75, "")
    assert "this run is over" in ran.err


async def test_a_word_is_said_again_until_the_daemon_is_back(side: AgentSide, daemon: DaemonStandin) -> None:
    answers = iter([Answer(status=503), Answer(status=503), Answer("Noted.")])
    daemon.script = lambda post: next(answers)
    assert (await side.call("orch", "ask", "why")).out == "Noted.\n"
    assert [post.id for post in daemon.posts] == [(3, 1)] * 3


async def test_outside_a_run_nothing_is_said(tmp_path: Path, daemon: DaemonStandin) -> None:
    ran = await AgentSide(tmp_path, daemon.url).call("orch", "done", ORCHESTRAD_RUN="")
    assert (ran.code, ran.out) == (75, "")
    assert daemon.posts == []
