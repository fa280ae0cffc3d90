"""What begins and ends a conversation and its turns: prompts, SessionStart and SessionEnd, failures of the API, limits."""

from collections.abc import Iterator

from orchestrad.core.actions import ReadLimit
from orchestrad.core.backoff import api_wait
from orchestrad.core.decide import Events, on, on_outcome
from orchestrad.core.decide.connections import reply
from orchestrad.core.decide.present import begun, current, leads_to
from orchestrad.core.decide.turns import attempt_failed
from orchestrad.core.events import (
    Delivered,
    Event,
    Glimpsed,
    LimitRead,
    PersonLeft,
    PostTaken,
    PromptTaken,
    RunBegan,
    RunEndOrdered,
    TurnBroken,
)
from orchestrad.core.ids import Now
from orchestrad.core.observations import (
    Prompted,
    SessionEnded,
    SessionStarted,
)
from orchestrad.core.observations import TurnFailed as TurnFailedHook
from orchestrad.core.states import AgentState
from orchestrad.core.world import (
    SECOND,
    Agent,
    Allow,
    Answer,
    Beginner,
    DeliveryKind,
    Hand,
    Refuse,
    World,
)

LIMITS = frozenset({"rate_limit", "usage_limit_reached"})
REFUSALS = frozenset({"authentication_failed", "billing_error"})
HOPELESS = frozenset({"invalid_request"})  # unlike the API's own trouble, it does not pass (a conversation grown too long)
HOPELESS_AFTER = 3
FIRST_GUESS = 60 * SECOND  # API keys give no reset time: tried again after this, see facts on StopFailure
CLEARABLE = frozenset({AgentState.READY, AgentState.WORKING, AgentState.WAITING})  # the others stay what they are after /clear
LONGEST_LIMIT = 8 * 24 * 3600 * SECOND  # the longest is weekly; what an agent's file claims beyond that is no reset


@on(Prompted)
def prompted(world: World, o: Prompted, now: Now) -> Iterator[Event]:
    """A prompt was submitted: ours is acknowledged once, a person's passes."""
    yield Glimpsed(now=now, changes={"prompts": {**world.glimpses.prompts, o.connection: (o.agent, o.epoch, o.n)}})
    agent = current(world, o.agent, o.epoch)
    if agent is None or o.n <= agent.prompt_post:
        return
    yield from begun(agent, o.conversation, now)
    idle = agent.state not in (AgentState.WORKING, AgentState.STOPPING)
    answer: Answer = Allow()
    beginner, state = None, None
    if o.nonce is not None:
        delivery = agent.delivery
        if agent.state is AgentState.STOPPING:
            answer = Refuse("orchestrad is ending this run; the prompt is sent again in the next one")
        elif delivery is None or delivery.nonce != o.nonce or delivery.delivered_at is not None:
            answer = Refuse("orchestrad sent this before; it counts once")
        else:
            yield Delivered(now=now, agent=o.agent, nonce=delivery.nonce, conversation=o.conversation, reason="its prompt arrived")
            if delivery.kind is DeliveryKind.TASK:
                answer = Hand(delivery.nonce)
    elif o.by_cli:
        theirs = agent.state is AgentState.ATTENDED or agent.turn is Beginner.PERSON  # what goes on is a person's turn
        beginner = (Beginner.PERSON if theirs else Beginner.CLI) if idle else None
        state = (AgentState.ATTENDED if theirs else AgentState.WORKING) if idle else None
    elif idle:
        beginner, state = Beginner.PERSON, AgentState.ATTENDED
    yield PromptTaken(
        now=now,
        agent=o.agent,
        n=o.n,
        answer=answer,
        beginner=beginner,
        state=state,
        reason=_whose_prompt(o),
    )


def _whose_prompt(o: Prompted) -> str:
    if o.nonce is not None:
        return "its prompt arrived"
    return "the CLI went on by itself" if o.by_cli else "a person typed a prompt"


@on(SessionStarted)
def session_started(world: World, o: SessionStarted, now: Now) -> Iterator[Event]:
    """A conversation is there."""
    agent = current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        yield RunBegan(
            now=now,
            agent=o.agent,
            epoch=o.epoch,
            conversation=o.conversation,
            cleared=o.source == "clear" and agent.state in CLEARABLE,
            n=o.n,
            reason="its conversation goes on" if o.source == "resume" else "its conversation has begun",
        )
    yield reply(world, o.connection, now)


@on(SessionEnded)
def session_ended(world: World, o: SessionEnded, now: Now) -> Iterator[Event]:
    """A conversation was closed; by a person's /exit it is no crash when the run ends."""
    agent = current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        if o.reason == "prompt_input_exit":
            yield PersonLeft(now=now, agent=o.agent, n=o.n, reason="a person left it with /exit")
        else:
            yield PostTaken(now=now, agent=o.agent, n=o.n)
    yield reply(world, o.connection, now)


@on(TurnFailedHook)
def turn_failed(world: World, o: TurnFailedHook, now: Now) -> Iterator[Event]:
    """An API error ended the turn: a limit, a refused credential, or trouble that passes."""
    agent = current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        failures = agent.api_failures + 1
        limited = o.error in LIMITS | REFUSALS
        theirs = agent.state is AgentState.ATTENDED or agent.turn is Beginner.PERSON
        after = AgentState.ATTENDED if theirs else AgentState.READY
        yield TurnBroken(
            now=now,
            agent=o.agent,
            n=o.n,
            state=leads_to(agent, AgentState.LIMITED if limited else after),
            failures=failures,
            again_at=now.elapsed + api_wait(failures),
            until_wall=now.wall + FIRST_GUESS if o.error in LIMITS else None,
            transcript=o.transcript if o.error in LIMITS else None,
            reason=_failure_reason(agent, o),
        )
        if o.error in HOPELESS and failures >= HOPELESS_AFTER:
            yield from _given_up(world, agent, o, now)
    yield reply(world, o.connection, now)


def _given_up(world: World, agent: Agent, o: TurnFailedHook, now: Now) -> Iterator[Event]:
    """The same request would be refused for ever: another conversation begins."""
    why = f"the API refused it {HOPELESS_AFTER} times in a row: {o.error}"
    task = world.tasks.get(agent.task) if agent.task else None
    if task is not None:
        yield attempt_failed(world, task, f"as {why}", now)
    if agent.state is not AgentState.STOPPING:
        yield RunEndOrdered(now=now, agent=agent.name, epoch=o.epoch, afresh=True, reason=f"{why}; another conversation begins")


def _failure_reason(agent: Agent, o: TurnFailedHook) -> str:
    said = f" ({o.text})" if o.text else ""
    if o.error in LIMITS:
        return f"its credential {agent.credential} has reached a limit{said}"
    if o.error in REFUSALS:
        mend = f"mend the file, then `orchestrad resume {agent.name}`"
        return f"its credential {agent.credential} was refused: {o.error}{said}; {mend}"
    return f"the API failed: {o.error}{said}; it goes on by itself"


@on_outcome(ReadLimit)
def limit_read(world: World, action: ReadLimit, result: object, now: Now) -> Events:
    """When the limit is over, as the transcript says; without a word a guess stands."""
    agent = world.agents.get(action.agent)
    if agent is None or agent.limit_check != action.transcript:
        return
    if isinstance(result, int) and result < now.wall + LONGEST_LIMIT:
        yield LimitRead(now=now, agent=agent.name, until_wall=result, reason=agent.reason)
    else:
        yield LimitRead(
            now=now, agent=agent.name, until_wall=agent.limited_until_wall or now.wall + FIRST_GUESS, reason=agent.reason
        )
