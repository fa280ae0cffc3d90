from orchestrad.core.tasklist import parse_list
from orchestrad.demo.direction import answered, conflicting_branches, lists_in
from orchestrad.demo.sample import direction


def test_only_paragraphs_about_a_conflict_name_branches_to_merge() -> None:
    text = "worker-1/aa11 is merged.\n\nConflict in a.py: worker-2/bb22 and refs/heads/worker-3/cc33.\n"
    assert conflicting_branches(text) == ["worker-2/bb22", "worker-3/cc33"]


def test_branches_that_stand_apart_from_the_word_are_found_too() -> None:
    assert conflicting_branches("## Conflicts\n\n- worker-2/bb22: a.py\n") == ["worker-2/bb22"]
    assert conflicting_branches("worker-1/aa11 is merged.") == []


def test_the_sample_direction_holds_a_readable_list_for_each_worker_without_one() -> None:
    lists = lists_in(direction(5, ready=2))
    assert list(lists) == [3, 4, 5]
    assert all(len(parse_list(text).items) >= 3 and not parse_list(text).problems for text in lists.values())


def test_an_answer_takes_the_question_s_place() -> None:
    assert answered('  <!-- act: ask "Why?" -->').startswith("  **Answer:**")
