from orchestrad.hub.fake import FakeHub
from orchestrad.hub.port import RefUpdate, Verdict


async def test_a_push_asks_first_and_moves_all_refs_or_none() -> None:
    hub = FakeHub()
    one = hub.commit({"a": b""})
    updates = [RefUpdate(f"refs/heads/worker-1/{name}", None, one) for name in "ab"]

    async def refuse(asked: tuple[RefUpdate, ...]) -> Verdict:
        assert asked == tuple(updates)
        return "not now"

    async def allow(asked: tuple[RefUpdate, ...]) -> Verdict:
        return None

    assert await hub.agent_pushes(updates, rescue=False, authorize=refuse, forbidden=no_secrets) == "not now"
    assert hub.hub_refs == {}
    assert await hub.agent_pushes(updates, rescue=False, authorize=allow, forbidden=no_secrets) is None
    assert set(hub.hub_refs) == {"refs/heads/worker-1/a", "refs/heads/worker-1/b"}
    late = [*updates, RefUpdate("refs/heads/worker-1/c", None, one)]
    assert await hub.agent_pushes(late, rescue=False, authorize=allow, forbidden=no_secrets)
    assert "refs/heads/worker-1/c" not in hub.hub_refs
    saved = [RefUpdate("refs/rescue/worker-1/1", None, one)]
    assert await hub.agent_pushes(saved, rescue=True, authorize=allow, forbidden=no_secrets) is None
    assert "refs/rescue/worker-1/1" in hub.rescue_refs


async def no_secrets() -> tuple[str, ...]:
    return ()


async def test_latency_and_faults_come_before_each_call() -> None:
    calls: list[str] = []

    async def before(call: str) -> None:
        calls.append(call)

    hub = FakeHub(before=before)
    await hub.prepare(lambda _: None)
    await hub.look()
    assert calls == ["prepare", "look"]
