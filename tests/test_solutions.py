"""The published solutions, on hostile input: each does what its task promises, said otherwise than in the solution."""

import functools
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import nbformat
import numpy as np
import pytest
import torch
import yaml
from conftest import LESSONS, NOTEBOOKS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_exercises import names_of
from tokenizers import Tokenizer, decoders, models, trainers
from transformers import pipeline

from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises
from course_utils import SentimentPipeline, checkpoint
from course_utils.models import SENTIMENT_MODEL

few = settings(max_examples=60, deadline=None)


@functools.cache
def solution(lesson: str, exercise: str) -> dict:
    """The names that a lesson has once the solution of an exercise was run in it."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    (code,) = [code for name, _, code in exercises(nbformat.read(path, as_version=4), path) if name == exercise]
    names = dict(names_of(lesson))
    exec(code, names)
    return names


# Lesson 1

BYTES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}


@few
@given(st.integers(0, 10**12), st.integers(1, 64))
def test_megabytes_are_all_the_bits_in_bytes(parameters, bits):
    megabytes = solution("01", "megabytes")["megabytes"](parameters, bits)
    assert abs(megabytes * 8_000_000 - parameters * bits) <= 1e-9 * parameters * bits


@few
@given(st.integers(0, 10**12), st.integers(0, 10**13) | st.floats(0, 1e13))
@example(10**9, 4 * 10**9)
@example(3, 1)
@example(0, 0)
def test_the_best_precision_fits_and_no_better_one_does(parameters, memory):
    found = solution("01", "precision")["best_precision"](parameters, memory)
    fitting = {name for name, size in BYTES.items() if parameters * size <= memory}
    assert found == max(fitting, key=BYTES.get, default=None)


# Lesson 2

DASHES = st.text("-a: \n", max_size=12)
VALUES = (
    st.text(max_size=8) | DASHES | st.integers() | st.booleans() | st.none() | st.dates() | st.lists(DASHES, max_size=2)
)


@few
@given(st.dictionaries(st.text(max_size=5) | DASHES, VALUES, min_size=1, max_size=4), DASHES)
def test_front_matter_is_read_whatever_stands_in_it_and_below_it(front, below):
    block = yaml.safe_dump(front, allow_unicode=True)
    found = solution("02", "read_front")["read_front"](f"---\n{block}---\n{below}")
    assert found == yaml.safe_load(block)


@few
@given(st.text("- a\n", max_size=20))
@example("---\n---")
@example("---\r\n---\r\n")
@example("---\na\n---\n")
def test_a_text_without_front_matter_has_none(text):
    assert solution("02", "read_front")["read_front"](text) == {}


# Lesson 3


@few
@given(st.sampled_from(["POSITIVE", "NEGATIVE"]), st.floats(0, 1), st.none() | st.floats(0, 1))
@example("NEGATIVE", 0.9, None)
def test_a_verdict_is_the_label_or_not_sure(label, score, threshold):
    verdict = solution("03", "verdict")["verdict"]
    found = verdict({"label": label, "score": score}, **({} if threshold is None else {"threshold": threshold}))
    sure = score >= (0.9 if threshold is None else threshold)
    assert found == ({"POSITIVE": "positive", "NEGATIVE": "negative"}[label] if sure else "not sure")


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=20))
@example("long " * 600)
def test_all_scores_are_those_that_the_library_gives(text):
    names = solution("03", "all_scores")
    tweets = names["tweets_model"]
    library = pipeline("text-classification", model=tweets.model, tokenizer=tweets.tokenizer, device="cpu")
    (expected,) = library([text], top_k=None, truncation=True)
    found = names["all_scores"](text)
    assert [label for label, _ in found] == [score["label"] for score in expected]
    assert all(abs(score - of["score"]) < 1e-4 for (_, score), of in zip(found, expected, strict=True))


@few
@given(st.lists(st.text(max_size=12) | st.just("[PAD]"), min_size=1, max_size=4))
def test_padding_makes_all_texts_as_long_as_the_longest(texts):
    names = solution("03", "count_padding")
    lengths = [len(names["tokenizer"](text)["input_ids"]) for text in texts]
    counts = names["count_padding"](texts)
    assert {length + count for length, count in zip(lengths, counts, strict=True)} == {max(lengths)}


def test_the_hint_of_exercise_5_says_what_fools_the_model_and_what_does_not():
    (hint,) = [cell.source for cell in lessons.read(LESSONS[2]).cells if "too good to be true" in cell.source]
    assert "a phone that makes a perfect doorstop" in " ".join(hint.split())
    model = SentimentPipeline(checkpoint(SENTIMENT_MODEL))
    assert model("Too good to be true")["label"] == "NEGATIVE"
    doorstop = model("This phone makes a perfect doorstop")
    assert doorstop["label"] == "POSITIVE"
    assert doorstop["score"] > 0.8


# Lesson 4

WORD = st.text("abc#É", min_size=1, max_size=4).filter(lambda word: not word.startswith("##"))


@few
@given(st.lists(st.tuples(WORD, st.lists(st.text("ab#1", min_size=1, max_size=3), max_size=3)), max_size=6))
@example([("c", ["#"]), ("#", []), ("#", ["#"])])
def test_pieces_are_joined_to_the_words_that_they_were_cut_from(words):
    pieces = [piece for first, rest in words for piece in (first, *(f"##{more}" for more in rest))]
    found = solution("04", "join_pieces")["join_pieces"](list(pieces))
    assert found == " ".join(first + "".join(rest) for first, rest in words)
    assert found == (decoders.WordPiece(cleanup=False).decode(pieces) if pieces else "")


@few
@given(st.lists(st.integers(0, 104) | st.just(102), max_size=20), st.integers(2, 25))
@example([102, 102, 101], 2)
def test_the_end_is_kept(text, max_length):
    given_ids = [101, *text, 102]
    found = solution("04", "keep_the_end")["keep_the_end"](given_ids, max_length)
    assert given_ids == [101, *text, 102]
    assert len(found) == min(len(given_ids), max_length)
    assert found[0] == 101
    kept = len(found) - 2
    assert found[1:] == [*text[len(text) - kept :], 102]


@few
@given(st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(1, 9), max_size=5))
@example({"banana": 2, "aaaa": 1})
def test_one_step_of_bpe_is_the_librarys_first_merge(seen):
    names = solution("04", "merge")
    words = {tuple(word): times for word, times in seen.items()}
    pairs = Counter(pair for word, times in seen.items() for pair in list(pairwise(word)) * times)
    if len({times for _, times in pairs.most_common(2)}) < min(2, len(pairs)):
        return  # the task has no ties
    found = names["bpe_step"](dict(words))
    if not pairs:
        assert found == words
        return
    trained = Tokenizer(models.BPE())
    texts = [word for word, times in seen.items() for _ in range(times)]
    trained.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=len(set("".join(seen))) + 1, show_progress=False))
    assert found == {tuple(trained.encode(word).tokens): times for word, times in seen.items()}


@few
@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 100))
def test_batches_keep_to_the_budget_and_none_could_take_the_next_text(lengths, max_tokens):
    batches = solution("04", "fill_batches")["fill_batches"](list(lengths), max_tokens)
    order = [place for batch in batches for place in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[place] for place in order] == sorted(lengths)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[-1]] <= max_tokens
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > max_tokens


# Lesson 5


@few
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6), st.floats(0.1, 100))
@example([3, 1], 2)
@example([0, 1000], 1)
def test_logits_are_softened(logits, temperature):
    found = solution("05", "soften")["soften"](list(logits), temperature)
    with np.errstate(over="ignore"):  # what lies far above one logit leaves it a share of 0
        others = np.exp((np.array(logits)[None] - np.array(logits)[:, None]) / temperature)
    assert found == pytest.approx(1 / others.sum(axis=1), abs=1e-5)


@few
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.floats(1e-9, 1), st.integers(0, 99))
def test_rms_norm_is_torchs_and_leaves_the_tensor_alone(size, eps, seed):
    x = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    x.view(-1, size[-1])[1:2] = 0  # a vector of zeros, where there are two
    weight = torch.rand(size[-1])
    before = x.clone()
    found = solution("05", "rms_norm")["rms_norm"](x, weight, eps)
    assert torch.equal(x, before)
    torch.testing.assert_close(found, torch.nn.functional.rms_norm(x, (size[-1],), weight, eps))


@few
@given(st.integers(1, 12), st.integers(0, 14))
def test_a_window_is_what_a_loop_over_two_tokens_says(length, reach):
    found = solution("05", "window_mask")["window_mask"](length, reach)
    assert found.dtype == torch.bool
    assert found.tolist() == [[abs(i - j) <= reach for j in range(length)] for i in range(length)]


# Lesson 6

SENTENCE = st.text("ab ,É🙃\n", max_size=4)
TEXT = st.lists(st.tuples(SENTENCE, st.sampled_from(".!?")), max_size=3)


@few
@given(st.lists(TEXT, max_size=4), st.lists(TEXT, max_size=4))
@example([], [[("a", ".")]])
@example([[("", "!")]], [[("🙃", ".")]])
def test_a_leak_shares_a_sentence_of_which_something_is_left(known, texts):
    def write(text):
        return "".join(sentence + end for sentence, end in text)

    def left(text):
        plain = ("".join(c if c in "ab" else " " for c in sentence) for sentence, _ in text)
        return {" ".join(sentence.split()) for sentence in plain if sentence.strip()}

    found = solution("06", "find_leaks")["find_leaks"]([*map(write, known)], [*map(write, texts)])
    assert found == [write(text) for text in texts if any(left(text) & left(other) for other in known)]


@few
@given(st.integers(1, 400), st.floats(1e-6, 10))
def test_the_rate_rises_falls_and_is_half_the_peak_half_way(steps, peak):
    cosine_rate = solution("06", "cosine_rate")["cosine_rate"]
    warm = steps // 10
    rates = [cosine_rate(step, steps, peak) / peak for step in range(steps + 1)]
    assert rates[warm] == pytest.approx(1)
    assert rates[steps] == pytest.approx(0, abs=1e-9)
    assert rates[:warm] == pytest.approx([step / warm for step in range(warm)])
    assert all(one >= other for one, other in pairwise(rates[warm:]))
    for one, other in zip(rates[warm:], rates[: warm - 1 if warm else None : -1], strict=True):
        assert one + other == pytest.approx(1)  # what has fallen at t is left at 1 - t


@few
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=4), st.integers(1, 5))
def test_lora_trains_the_numbers_of_two_thin_matrices(shapes, r):
    thin = [torch.empty(*size) for rows, columns in shapes for size in ((r, columns), (rows, r))]
    assert solution("06", "lora_parameters")["lora_parameters"](shapes, r) == sum(matrix.numel() for matrix in thin)


@few
@given(st.lists(st.integers(1, 6), min_size=1, max_size=10), st.integers(1, 4), st.integers(1, 50))
def test_early_stopping_keeps_the_first_of_the_lowest(losses, patience, each):
    history = [(each * place, loss / 4) for place, loss in enumerate(losses, start=1)]
    ends = [
        end
        for end in range(1 + patience, len(losses) + 1)
        if min(losses[end - patience : end]) >= min(losses[: end - patience])
    ]
    seen = losses[: ends[0]] if ends else losses
    expected = each * (1 + seen.index(min(seen)))
    assert solution("06", "best_step")["best_step"](history, patience) == expected


@few
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 2)), max_size=40), st.integers(1, 9)
)
def test_no_large_group_is_weaker_than_the_weakest(rows, at_least):
    sizes = Counter(group for group, _, _ in rows)
    hits = Counter(group for group, one, other in rows if one == other)
    shares = {group: Fraction(hits[group], size) for group, size in sizes.items() if size >= at_least}
    if list(shares.values()).count(min(shares.values(), default=None)) != 1:
        return  # the task has such a group, and one alone
    found = solution("06", "weakest_group")["weakest_group"](*map(list, zip(*rows, strict=True)), at_least)
    assert found == min(shares, key=shares.get)
