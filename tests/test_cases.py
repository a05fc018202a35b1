"""A learner's function on the cases of a check: who gets which sentence."""

import pytest
import torch

from course_utils.exercises import WrongAnswerError
from course_utils.exercises.answers import number
from course_utils.exercises.cases import about, refuse_known, run_cases, shown

CASES = [([1, 2],), ([3, 5, 4],), ([],)]
MISTAKES = {"the largest": max, "how many": len, "the first": lambda numbers: numbers[0]}


def run(total, **options):
    run_cases(total, "total", CASES, sum, read=number, mistakes=MISTAKES, **options)


def sentence(total, **options) -> str:
    with pytest.raises(WrongAnswerError) as refused:
        run(total, **options)
    return str(refused.value)


def test_what_is_right_in_each_case_is_right():
    run(sum)
    run(lambda numbers: torch.tensor(numbers).sum())


def test_a_hint_is_for_who_does_the_same_in_every_case():
    assert sentence(len) == "how many"
    assert sentence(lambda numbers: 3) == "total([3, 5, 4]) should give 12. Yours gave 3.0."  # the first two make 3
    assert (
        sentence(lambda numbers: max(numbers) if len(numbers) == 2 else 0)
        == "total([1, 2]) should give 3. Yours gave 2.0."
    )


def test_what_is_wrong_before_an_exception_is_said_first():
    def fails(numbers):
        try:
            return max(numbers)
        except ValueError:
            raise WrongAnswerError("total([]) raised ValueError.") from None

    assert sentence(fails) == "the largest"

    def fails_though_right(numbers):
        if not numbers:
            raise WrongAnswerError("total([]) raised ValueError.")
        return sum(numbers)

    assert sentence(fails_though_right) == "total([]) raised ValueError."


def test_a_sign_is_seen_in_the_answer_itself():
    signs = {"too much": lambda found, expected: found >= expected}
    assert sentence(lambda numbers: sum(numbers) + 1, signs=signs) == "too much"
    assert "should give" in sentence(lambda numbers: sum(numbers) - 1, signs=signs)


def test_a_function_that_changes_what_it_gets_or_remembers_its_calls_is_told_so():
    def takes_out(numbers):
        return sum(numbers.pop() for _ in range(len(numbers)))

    assert sentence(takes_out) == "Your function changed the list that it was given. Work on a copy."

    def remembers(numbers, calls=[]):  # noqa: B006 - that is the mistake
        calls.append(numbers)
        return sum(numbers) + (len(calls) > len(CASES))

    assert sentence(remembers) == "total([]) gave something else the second time. Does it remember its earlier calls?"
    x = torch.ones(2, 3)
    for change in (lambda x: x.mul_(2), lambda x: x.unsqueeze_(0)):
        with pytest.raises(WrongAnswerError, match="changed the tensor"):
            run_cases(change, "double", [(x,)], lambda x: 2 * x, read=lambda found, _: found.clone())
    assert torch.equal(x, torch.ones(2, 3))
    layer = torch.nn.Linear(2, 3)
    weight = layer.weight.detach().clone()
    for change in (lambda layer: layer.weight.data.mul_(2), lambda layer: setattr(layer, "bias", None)):
        with pytest.raises(WrongAnswerError, match="changed the module"):
            run_cases(change, "double", [(layer,)], lambda _: 0, read=lambda *_: 0)
    run_cases(lambda layer: layer(torch.ones(2)), "apply", [(layer,)], lambda _: 0, read=lambda *_: 0)
    assert torch.equal(layer.weight, weight)


def test_each_case_is_asked_again():
    def keeps_the_second(numbers, kept={}):  # noqa: B006 - that is the mistake
        result = sum(numbers) + (len(numbers) == 3 and 3 in kept)
        kept[len(numbers)] = result
        return result

    assert sentence(keeps_the_second).startswith("total([3, 5, 4]) gave something else the second time.")


def test_a_check_can_explain_the_first_case_that_differs():
    def explain(found, right, numbers):
        return f"{len(numbers)} numbers make {right}, not {found:g}."

    assert sentence(lambda numbers: 3, explain=explain) == "3 numbers make 12, not 3."
    assert sentence(len, explain=explain) == "how many"


def test_the_mistake_that_explains_every_result_is_named():
    mistakes = {
        "doubled": lambda number: 2 * number,
        "squared": lambda number: number**2,
        "turned round": lambda number: 1 / number,
    }
    for found, hint in (([0, 4, 6], "doubled"), ([0, 4, 9], "squared")):
        with pytest.raises(WrongAnswerError, match=hint):
            refuse_known(found, [(0,), (2,), (3,)], mistakes)
    for found in ([0, 4, 7], [0, 0.5, 1 / 3]):  # the second is turned round, but for 0
        refuse_known(found, [(0,), (2,), (3,)], mistakes)
    with pytest.raises(WrongAnswerError, match="turned round"):
        refuse_known([0.3333333], [(3,)], mistakes, about)


def test_what_is_no_function_is_named():
    assert "without brackets" in sentence(3)


def test_values_are_shown_short():
    assert shown("ab") == "'ab'"
    assert shown(list(range(100)), 20) == "[0, 1, 2, 3, 4,  ..."
    assert shown(torch.ones(2, 3)) == "<tensor of shape (2, 3)>"
    assert shown(torch.tensor([1 / 3, 2])) == "[0.3333, 2.0]"
    assert "the total of 2 numbers should give 3" in sentence(
        lambda numbers: 0, write_call=lambda numbers: f"the total of {len(numbers)} numbers"
    )
