from tests.support.drawing import drawn, function_of

TESTS = [
    ("tests/unit/test_a.py::test_cheap[1]", False),
    ("tests/unit/test_a.py::test_cheap[2]", False),
    ("tests/postgres/test_b.py::test_alone", False),
    *(
        (f"tests/postgres/test_b.py::test_cases_{n}[{case}]", False)
        for n in range(60)
        for case in "abc"
    ),
    *(
        (f"tests/postgres/test_b.py::test_slow_{n}[{case}]", True)
        for n in range(50)
        for case in "xy"
    ),
]
UNIT, SLOW = ({i for i, _ in TESTS if word in i} for word in ("tests/unit/", "test_slow_"))


def test_all_unit_tests_most_others_and_few_slow_ones_have_their_turn() -> None:
    chosen = drawn(TESTS, "24dfe70")
    assert chosen >= UNIT
    rest = [function_of(i) for i in chosen - UNIT - SLOW]
    assert len(rest) == len(set(rest))
    assert 30 < len(rest) < 50
    assert 0 < len(chosen & SLOW) < 15


def test_a_seed_always_draws_the_same_and_another_seed_others() -> None:
    assert drawn(TESTS, "24dfe70") == drawn(list(reversed(TESTS)), "24dfe70")
    assert drawn(TESTS, "24dfe70") != drawn(TESTS, "395fb1e")


def test_within_a_hundred_commits_every_test_has_run() -> None:
    seen = set[str]().union(*(drawn(TESTS, str(commit)) for commit in range(100)))
    assert seen == {i for i, _ in TESTS}


def test_a_test_that_is_added_changes_no_other_s_turn() -> None:
    added = [("tests/postgres/test_b.py::test_new", False), ("tests/postgres/test_c.py::x", True)]
    more = drawn([*added, *TESTS], "24dfe70")
    assert more - {i for i, _ in added} == drawn(TESTS, "24dfe70")
