from orchestrad.demo.steps import Call, Message, Say
from orchestrad.demo.work import Mind

TASK = "# Add a\n\n```sh\ntouch a\n```\n"
NEXT = "Stop hook feedback:\n# Add b\n\n```sh\ntouch b\n```\n"


def a_mind(*messages: Message) -> Mind:
    mind = Mind(is_manager=False, workers=3)
    mind.start_over(messages)
    return mind


def command(mind: Mind) -> str:
    step = mind.next_step()
    assert isinstance(step, Call)
    return str(step.input["command"])


def test_a_prompt_that_names_a_file_begins_with_reading_it() -> None:
    mind = a_mind(Message("prompt", "orchestrad 4fa1: read `/run/texts/4fa1` and do the task."))
    assert mind.next_step() == Call("Read", {"file_path": "/run/texts/4fa1"})
    mind.hear(Message("result", TASK))
    assert command(mind) == "touch a"


def test_the_same_messages_lead_to_the_same_step() -> None:
    said = [Message("feedback", TASK), Message("call", "toolu_1"), Message("result", "")]
    assert a_mind(*said).next_step() == a_mind(*said).next_step()
    assert command(a_mind(*said)).startswith("git add -A")


def test_a_call_that_was_cut_off_is_made_again() -> None:
    assert command(a_mind(Message("feedback", TASK), Message("result", "cut off", ok=False))) == "touch a"


def test_a_new_task_takes_the_place_of_what_was_left() -> None:
    mind = a_mind(Message("feedback", TASK), Message("feedback", NEXT))
    for _ in range(3):
        mind.hear(Message("result", ""))
    mind.hear(Message("say", "Done: Add b"))
    assert mind.next_step() == Say("There is nothing more to do.", final=True)


def test_a_person_is_answered_and_the_task_goes_on_at_continue() -> None:
    mind = a_mind(Message("feedback", TASK), Message("prompt", "hello"))
    answer = mind.next_step()
    assert isinstance(answer, Say)
    assert answer.final
    mind.hear(Message("say", answer.text))
    mind.hear(Message("prompt", "orchestrad 77aa: continue."))
    assert command(mind) == "touch a"


def test_a_person_who_speaks_in_mid_turn_does_not_end_it() -> None:
    answer = a_mind(Message("feedback", TASK), Message("queued", "hello")).next_step()
    assert isinstance(answer, Say)
    assert not answer.final


def test_continue_with_nothing_begun_ends_the_turn() -> None:
    assert a_mind(Message("prompt", "orchestrad 77aa: continue.")).next_step() == Say("There is nothing to go on with.", final=True)
