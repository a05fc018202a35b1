"""Recognizing a mistake: it has to explain every result, and one that can't be made for an input explains nothing."""

import pytest

from course_utils.exercises import WrongAnswerError
from course_utils.exercises.mistakes import about, refuse_known

MISTAKES = {
    "It is doubled.": lambda number: 2 * number,
    "It is squared.": lambda number: number**2,
    "It is turned round.": lambda number: 1 / number,
}


@pytest.mark.parametrize(("found", "hint"), [([0, 4, 6], "doubled"), ([0, 4, 9], "squared")])
def test_the_mistake_that_explains_every_result_is_named(found, hint):
    with pytest.raises(WrongAnswerError, match=hint):
        refuse_known(found, [(0,), (2,), (3,)], MISTAKES)


@pytest.mark.parametrize("found", [[0, 4, 7], [0, 0.5, 1 / 3]])
def test_what_no_mistake_explains_gets_no_hint(found):
    refuse_known(found, [(0,), (2,), (3,)], MISTAKES)


def test_two_results_may_be_the_same_in_another_sense():
    with pytest.raises(WrongAnswerError, match="turned round"):
        refuse_known([0.3333333], [(3,)], MISTAKES, about)
