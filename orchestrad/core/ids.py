"""The names of things, each with a type of its own, so that a task can't be passed for an agent."""

import hashlib
import hmac
from datetime import timedelta
from typing import Final, NamedTuple, NewType

FleetId = NewType("FleetId", str)
AgentName = NewType("AgentName", str)  # "manager", "worker-1"
TaskId = NewType("TaskId", str)
Epoch = NewType("Epoch", int)  # the number of a run; grows with every start of an agent
Nonce = NewType("Nonce", str)  # makes a delivery count once
ConversationId = NewType("ConversationId", str)  # Claude Code's session_id
ContainerId = NewType("ContainerId", str)
CredentialLabel = NewType("CredentialLabel", str)
Oid = NewType("Oid", str)  # a git object's name, 40 hex digits
Micros = NewType("Micros", int)  # an instant or a length in whole microseconds

MANAGER: Final = AgentName("manager")


class Now(NamedTuple):
    """One instant on two clocks: `wall` since 1970 (UTC), `elapsed` monotonic and carried across boots; microseconds."""

    wall: Micros
    elapsed: Micros


def micros(length: timedelta) -> Micros:
    """A length in whole microseconds."""
    return Micros(length // timedelta(microseconds=1))


def worker(number: int) -> AgentName:
    """The name of the worker with this number, counted from 1."""
    return AgentName(f"worker-{number}")


def worker_number(agent: AgentName) -> int | None:
    """The number of a worker, counted from 1; None for the Manager."""
    prefix, _, number = agent.partition("-")
    return int(number) if prefix == "worker" and number.isdecimal() else None


def derive(*parts: object, digits: int = 12) -> str:
    """A name that follows from its parts alone: the same parts give the same hex digits on every replay."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:digits]


def conversation_id(fleet: FleetId, agent: AgentName, epoch: Epoch) -> ConversationId:
    """The `--session-id` of the conversation that this run begins, in the form of a version 4 UUID."""
    h = derive(fleet, agent, epoch, "conversation", digits=32)
    return ConversationId(f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}")


def run_token(secret: bytes, agent: AgentName, epoch: Epoch) -> str:
    """The bearer token of one run: it names the run and proves that this fleet made it."""
    proof = hmac.new(secret, f"{agent}\0{epoch}".encode(), hashlib.sha256).hexdigest()
    return f"{agent}.{epoch}.{proof}"


def read_token(secret: bytes, token: str) -> tuple[AgentName, Epoch] | None:
    """The run that a bearer token names; None when this fleet did not make it."""
    agent, _, rest = token.partition(".")
    epoch = rest.partition(".")[0]
    if not epoch.isdecimal() or len(epoch) > 12:
        return None
    claimed = AgentName(agent), Epoch(int(epoch))
    if not hmac.compare_digest(run_token(secret, *claimed).encode(), token.encode()):
        return None
    return claimed
