import pytest

from orchestrad.demo.task import prose_task, read_task, title_of

BODY = 'Words.\n\n<!-- act: pause 2, ask "Red, or blue?" -->\n\n```sh\necho hi\n\nls\n```\n'


def test_a_task_has_the_script_of_its_sh_block_and_the_behaviour_of_its_comment() -> None:
    task = read_task(f"# Say hi\n\n{BODY}")
    assert task == ("Say hi", "echo hi\n\nls", {"pause": "2", "ask": "Red, or blue?"})


def test_a_nested_block_is_read_without_its_indentation() -> None:
    task = read_task("- [ ] Say hi {#hi}\n\n  ```sh\n  echo hi\n    ls\n  ```\n")
    assert task is not None
    assert (task.title, task.script) == ("Say hi", "echo hi\n  ls")


def test_what_the_instructions_show_of_orch_is_not_run() -> None:
    assert read_task('When done:\n\n```sh\norch done -m "what"\n```\n') is None


def test_a_file_may_be_asked_for_in_words() -> None:
    task = read_task("Create file `docs/a.md` with `it's here`.")
    assert task is not None
    assert task.script == "mkdir -p 'docs'\nprintf '%s\\n' 'it'\\''s here' > 'docs/a.md'"


def test_a_text_without_work_is_no_task() -> None:
    assert read_task("You have uncommitted changes: commit them and say `orch done`.") is None


def test_an_unknown_behaviour_is_told_as_blocked() -> None:
    task = read_task("<!-- act: dance 3 -->")
    assert task is not None
    assert "I know no behaviour dance" in task.acts["blocked"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Stop hook feedback:\nYour next task is «Count words».\nMore.", "Count words"),
        ("Task t1: Count words\n\nMore.", "Count words"),
        ("**Count words**\n\nMore.", "Count words"),
        ("Count words:\n", "Count words"),
        ("x" * 100, "x" * 71 + "…"),
        ("", "Work"),
    ],
)
def test_the_title_is_what_a_person_would_take_for_it(text: str, title: str) -> None:
    assert title_of(text) == title


def test_a_task_of_words_is_noted_in_a_file() -> None:
    assert prose_task("Think hard").script == "mkdir -p notes\nprintf '%s\\n' 'Think hard' >> notes/think-hard.md"
