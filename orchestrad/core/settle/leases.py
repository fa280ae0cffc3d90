"""Which agent uses which credential: spread evenly, shared when there are fewer than agents."""

from collections import Counter
from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import CredentialLeased, Event
from orchestrad.core.world import World


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Gives each agent without a run and without a usable credential the one that fewest others have."""
    present = sorted(label for label, credential in world.credentials.items() if credential.present)
    if not present:
        return
    used = Counter(agent.credential for agent in world.agents.values() if agent.wanted and agent.credential in present)
    for agent in sorted(world.agents.values(), key=lambda agent: agent.name):
        if agent.run is not None or not agent.wanted or agent.credential in present:
            continue
        label = min(present, key=lambda label: (used[label], label))
        used[label] += 1
        yield CredentialLeased(now=agenda.now, agent=agent.name, credential=label, reason="the credential that fewest agents use")
