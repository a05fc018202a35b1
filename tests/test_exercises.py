"""Every exercise: its solution passes, its stub does not, and each wrong answer that people give gets its own hint."""

import functools
import importlib
import inspect

import nbformat
import pytest
from conftest import LESSONS, NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st

from course_build.exercises import exercises, make_stub
from course_utils.exercises import Feedback, WrongAnswerError, checker


def answer(code: str, namespace: dict, *names: str) -> list:
    """Run an answer as a cell of the lesson would be run, and return what it defined."""
    exec(code, namespace)
    return [namespace[name] for name in names]


@functools.cache
def checks_module(lesson: str):
    return importlib.import_module(f"course_utils.exercises.lesson_{lesson}")


@functools.cache
def names_of(lesson: str) -> dict:
    """The names that a lesson's exercises can use, made by the lesson's own cells."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    namespace = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or "exercise" in cell.metadata:
            continue
        if cell.source.startswith(("#|", "%")) or any(part in cell.source for part in ("?", "check_", "quiz(")):
            continue
        if "raises-exception" not in cell.metadata.get("tags", []):
            exec(cell.source, namespace)
    return namespace


WRONG = {
    ("01", "check_shape", ("product_shape",)): {
        "turned round": ("product_shape = (2, 5)", "turned round"),
        "the inner numbers": ("product_shape = (7, 7)", "in common"),
        "entry by entry": ("product_shape = (35, 14)", "not multiplied"),
        "how many numbers": ("product_shape = 10", "answer with a pair"),
        "the first one's own": ("product_shape = (5, 7)", "first tensor's own"),
        "three dimensions": ("product_shape = [5, 7, 2]", "added up"),
    },
    ("01", "check_megabytes", ("megabytes",)): {
        "bits for bytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 1e6", "megabits"),
        "bytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 8", "Those are bytes"),
        "powers of two": ("def megabytes(parameters, bits):\n    return parameters * bits / 8 / 1024**2", "MiB"),
        "gigabytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 8e9", "gigabytes"),
        "forgets the bits": ("def megabytes(parameters, bits):\n    return parameters / 8e6", "Where are the bits"),
        "prints": ("def megabytes(parameters, bits):\n    print(parameters)", "returned None"),
    },
    ("01", "check_best_precision", ("best_precision",)): {
        "the coarsest that fits": (
            "def best_precision(parameters, memory):\n    for p in reversed(BITS):\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return p",
            "coarsest up",
        ),
        "less than, not at most": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) < memory:\n            return p",
            "with <=",
        ),
        "looks at the memory alone": (
            "def best_precision(parameters, memory):\n"
            "    for p, enough in zip(BITS, (4e9, 2e9, 1e9, 0.5e9)):\n"
            "        if memory >= enough:\n            return p",
            "use both",
        ),
        "always an answer": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return p\n    return 'int4'",
            "return None",
        ),
        "bits for a name": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return BITS[p]",
            "name of the precision",
        ),
        "turned round": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) >= memory:\n            return p",
            "do fit into",
        ),
    },
    # (lesson, check, what the answers are called): {name of the mistake: (code, words of its hint)}
    ("02", "check_title_type", ("title_type",)): {
        "it looks like a text": ("title_type = 'str'", "takes what looks like a number"),
        "a year is a date": ("title_type = 'date'", "A year alone"),
        "a number with a point": ("title_type = 'float'", "decimal point"),
        "the type itself": ("title_type = int", "in quotes"),
    },
    ("02", "check_read_front", ("read_front",)): {
        "the block as text": ("def read_front(text):\n    return text.split('---', 2)[1]", "yaml.safe_load"),
        "counts on front matter": (
            "def read_front(text):\n    return yaml.safe_load(text.split('---', 2)[1])",
            "raised IndexError",
        ),
        "any dashes will do": (
            "def read_front(text):\n    parts = text.split('---', 2)\n"
            "    return (yaml.safe_load(parts[1]) or {}) if len(parts) == 3 else {}",
            "very beginning",
        ),
        "cuts at every place": (
            "def read_front(text):\n    if not text.startswith('---'):\n        return {}\n"
            "    return yaml.safe_load('---'.join(text.split('---')[1:-1])) or {}",
            "raised",
        ),
        "an empty block is None": (
            "def read_front(text):\n    if not text.startswith('---'):\n        return {}\n"
            "    return yaml.safe_load(text.split('---', 2)[1])",
            "reads an empty block as None",
        ),
    },
    ("02", "check_callout", ("my_callout",)): {
        "no colons": ("my_callout = '## Check your paths\\n\\nThey are yours only.'", "three colons"),
        "another kind": (
            "my_callout = '::: {.callout-tip}\\n## Check your paths\\n\\nThey are yours only.\\n:::'",
            "asks for a warning",
        ),
        "forgets the dot": (
            "my_callout = '::: {callout-warning}\\n## Check your paths\\n\\nThey are yours only.\\n:::'",
            "a dot before it",
        ),
        "never closed": (
            "my_callout = '::: {.callout-warning}\\n## Check your paths\\n\\nThey are yours only.'",
            "ends with a line",
        ),
        "no space after the signs": (
            "my_callout = '::: {.callout-warning}\\n##Check your path\\n\\nThey are yours only.\\n:::'",
            "heading comes first",
        ),
        "heading alone": ("my_callout = '::: {.callout-warning}\\n## Check your paths\\n:::'", "sentence of your own"),
    },
    ("03", "check_verdict", ("verdict",)): {
        "forgets the threshold": (
            "def verdict(result, threshold=0.9):\n    return result['label'].lower()",
            "0.61 counts like one of 0.97",
        ),
        "takes the score for the mood": (
            "def verdict(result, threshold=0.9):\n    s = result['score']\n"
            "    return 'positive' if s >= threshold else 'negative' if s < 0.5 else 'not sure'",
            "the score belongs to the label",
        ),
        "more than, not at least": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] > threshold else 'not sure'",
            "use >= and not >",
        ),
        "keeps the model's capitals": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'] if result['score'] >= threshold else 'not sure'",
            "in small letters",
        ),
        "another threshold": (
            "def verdict(result, threshold=0.8):\n"
            "    return result['label'].lower() if result['score'] >= threshold else 'not sure'",
            "0.88 is below 0.9",
        ),
        "ignores the argument": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] >= 0.9 else 'not sure'",
            "threshold=0.6",
        ),
        "turned round": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] < threshold else 'not sure'",
            "turn it round",
        ),
        "prints and returns nothing": ("def verdict(result, threshold=0.9):\n    print(result)", "end in a return"),
        "a misspelt key": ("def verdict(result, threshold=0.9):\n    return result['lable']", "KeyError"),
        "calls it": ("verdict = 'positive'", "without brackets"),
    },
    ("03", "check_tokens_seen", ("tokens_seen",)): {
        "all the words": ("tokens_seen = 1000", "512 places"),
        "all the words and the special tokens": ("tokens_seen = 1002", "truncation=True"),
        "words instead of tokens": ("tokens_seen = 510", "special tokens take places"),
        "special tokens on top of the limit": ("tokens_seen = 514", "with the special tokens"),
        "a guess below": ("tokens_seen = 128", "sees more"),
        "a guess above": ("tokens_seen = 768", "sees fewer"),
        "a text": ("tokens_seen = '512'", "whole number"),
    },
    ("03", "check_all_scores", ("all_scores",)): {
        "the winner only": (
            "def all_scores(text):\n    result = tweets_model(text)\n    return [(result['label'], result['score'])]",
            "Return all of them",
        ),
        "logits": (
            "def all_scores(text):\n    logits = tweets_model.forward(text).logits[0].tolist()\n"
            "    labels = tweets_model.config.id2label.values()\n"
            "    return sorted(zip(labels, logits), key=lambda pair: pair[1], reverse=True)",
            "Softmax",
        ),
        "the least probable first": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(zip(tweets_model.config.id2label.values(), scores), key=lambda pair: pair[1])",
            "other way round",
        ),
        "not sorted": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    pairs = sorted(zip(tweets_model.config.id2label.values(), scores), key=lambda pair: pair[1])\n"
            "    return [pairs[1], pairs[2], pairs[0]]",
            "not sorted",
        ),
        "numbers instead of labels": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(enumerate(scores), key=lambda pair: pair[1], reverse=True)",
            "id2label",
        ),
        "sorted scores beside unsorted labels": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return list(zip(tweets_model.config.id2label.values(), sorted(scores, reverse=True)))",
            "beside its own label",
        ),
        "a dict": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return dict(zip(tweets_model.config.id2label.values(), scores))",
            "list of pairs",
        ),
        "pairs the wrong way round": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(zip(scores, tweets_model.config.id2label.values()), reverse=True)",
            "wrong way round",
        ),
    },
    ("03", "check_count_padding", ("count_padding",)): {
        "counts the real tokens": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True, return_tensors='pt')\n"
            "    return batch['attention_mask'].sum(dim=1).tolist()",
            "ones of the attention mask",
        ),
        "one number for the batch": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True, return_tensors='pt')\n"
            "    return (batch['attention_mask'] == 0).sum().item()",
            "for each text",
        ),
        "forgets to pad": (
            "def count_padding(texts):\n    return [mask.count(0) for mask in tokenizer(texts)['attention_mask']]",
            "padding=True",
        ),
        "pads each text alone": (
            "def count_padding(texts):\n"
            "    return [tokenizer(text, padding=True)['attention_mask'].count(0) for text in texts]",
            "both at once",
        ),
        "takes special tokens for padding": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True)\n"
            "    return [sum(i in (0, 101, 102) for i in ids) for ids in batch['input_ids']]",
            "off by 2",
        ),
    },
    ("03", "check_fooled", ("fooling_sentence", "what_i_mean")): {
        "the model is right": ("fooling_sentence, what_i_mean = 'I love this film', 'POSITIVE'", "gets that one right"),
        "a word is no sentence": ("fooling_sentence, what_i_mean = 'great', 'NEGATIVE'", "three words"),
        "an own label": ("fooling_sentence, what_i_mean = 'I love this film', 'ironic'", "POSITIVE"),
        "empty": ("fooling_sentence, what_i_mean = ' ', 'NEGATIVE'", "is a sentence"),
    },
}


@pytest.mark.parametrize(
    ("lesson", "check", "names", "code", "words"),
    [
        pytest.param(lesson, check, names, code, words, id=f"{check}: {mistake}")
        for (lesson, check, names), mistakes in WRONG.items()
        for mistake, (code, words) in mistakes.items()
    ],
)
def test_a_wrong_answer_gets_its_hint(lesson, check, names, code, words):
    feedback = getattr(checks_module(lesson), check)(*answer(code, dict(names_of(lesson)), *names))
    assert feedback.status == "wrong"
    assert words in feedback.message, feedback.message


def checks_of(path) -> dict:
    """The check call that follows each stub, by the exercise's name."""
    notebook = nbformat.read(path, as_version=4)
    found = {}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "exercise" in cell.metadata:
            following = next(c for c in notebook.cells[place + 1 :] if c.cell_type == "code")
            found[cell.metadata["exercise"]] = (cell, following)
    return found


EXERCISES = [
    pytest.param(path, name, solution, id=f"{path.stem}: {name}")
    for path in LESSONS
    for name, _, solution in exercises(nbformat.read(path, as_version=4), path)
]


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_solution_passes_and_the_stub_does_not(path, name, solution):
    stub, check = checks_of(path)[name]
    for code, status in ((solution, "right"), (stub.source, "open")):
        namespace = dict(names_of(path.name[:2]))
        exec(code, namespace)
        lines = check.source.rstrip().splitlines()
        exec("\n".join(lines[:-1]), namespace)
        feedback = eval(lines[-1], namespace)
        assert feedback.status == status, feedback.message
    assert check.outputs[0].data["text/plain"].startswith("○ Not answered yet.")


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_stub_is_what_the_rules_make_of_the_solution(path, name, solution):
    stub, _ = checks_of(path)[name]
    assert stub.source == make_stub(solution), "run `python -m course_build exercises`"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_to_six_exercises_each_with_a_hint(path):
    notebook = nbformat.read(path, as_version=4)
    found = checks_of(path)
    assert 3 <= len(found) <= 6
    hints = [cell.source for cell in notebook.cells if "<summary>Hint</summary>" in cell.source]
    assert len(hints) == len(found)


@pytest.mark.parametrize("lesson", [path.name[:2] for path in LESSONS])
def test_every_check_has_at_least_three_named_wrong_answers(lesson):
    members = inspect.getmembers(checks_module(lesson))
    checks = {name for name, member in members if name.startswith("check_") and callable(member)}
    assert checks == {check for of, check, _ in WRONG if of == lesson}
    assert all(len(mistakes) >= 3 for mistakes in WRONG.values())


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()), st.just(...)
)


@settings(max_examples=60, deadline=None)
@given(ANYTHING, ANYTHING)
def test_a_check_never_raises_whatever_it_is_given(value, other):
    for lesson, check, names in WRONG:
        run = getattr(checks_module(lesson), check)
        feedback = run(*[value, other][: len(names)])
        assert isinstance(feedback, Feedback)
        assert feedback.status != "right" or (check == "check_tokens_seen" and value == 512)
        assert run(*[lambda *_, **__: value][: len(names)]).status != "right"


def test_feedback_names_the_learners_exception_and_a_check_of_its_own_never_raises():
    @checker
    def check_half(half):
        if half(4) != 2:
            raise WrongAnswerError("Half of 4 is 2.")
        return "Two halves make a whole."

    assert repr(check_half(lambda n: n / 2)) == "✔ Right. Two halves make a whole."
    assert repr(check_half(lambda n: n)) == "✘ Not yet. Half of 4 is 2."
    assert "ZeroDivisionError: division by zero" in repr(check_half(lambda n: n / 0))
    assert check_half(...).status == "open"
    assert check_half(lambda n: ...).status == "open"
    assert check_half().status == "wrong"
    assert check_half(3).status == "wrong"


def test_the_rules_that_make_a_stub():
    solution = (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    square = r * r\n    return math.pi * (\n"
        "        square\n    )\n\n\n# how big?\nbig = [\n    area(9),\n]\nprint(big)"
    )
    assert make_stub(solution) == (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    return ...  # your code here\n\n\n"
        "# how big?\nbig = ...  # your answer here\nprint(big)"
    )
