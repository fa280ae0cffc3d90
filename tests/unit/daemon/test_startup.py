"""Taking up a state directory: what an earlier daemon left at work."""

from orchestrad.core.ids import AgentName, Epoch, run_token
from orchestrad.core.states import AgentState
from orchestrad.daemon.logs import Redactor
from orchestrad.daemon.startup import tokens_of
from tests.support.worlds import a_world, worker


def test_tokens_of_runs_that_are_taken_up_are_in_no_log_line() -> None:
    world = a_world(worker("worker-1", AgentState.WORKING, epoch=3), worker("worker-2", AgentState.STOPPED))
    redactor = Redactor()
    redactor.know(tokens_of(world, b"secret"))
    token = run_token(b"secret", AgentName("worker-1"), Epoch(3))
    assert redactor(None, "info", {"said": f"Bash: curl -H 'Authorization: Bearer {token}'"}) == {
        "said": "Bash: curl -H 'Authorization: Bearer [secret]'"
    }
