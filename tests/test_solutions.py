"""The published solutions, on hostile input: each does what its task promises, said otherwise than in the solution."""

import contextlib
import copy
import functools
import json
import math
import statistics
import warnings
from collections import Counter
from fractions import Fraction
from itertools import combinations, pairwise

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
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises
from course_utils import SentimentPipeline, checkpoint
from course_utils.modeling.quantization import decode_q4_1
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


SCORES = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.floats(0, 1), min_size=1, max_size=4)


@few
@given(st.dictionaries(st.text("xyz", max_size=3), SCORES, max_size=5), st.floats(0, 1))
@example({"one": {"a": 0.25, "b": 0.5}, "two": {"a": 0.5}}, 0.25)
def test_alarms_are_about_each_group_with_two_words_further_apart_than_the_limit(means, limit):
    found = solution("03", "alarms")["alarms"](means, limit)
    furthest = {
        group: max((abs(one - other) for one, other in combinations(words.values(), 2)), default=0)
        for group, words in means.items()
    }
    assert sorted(found) == sorted(group for group, distance in furthest.items() if distance > limit)
    assert all(furthest[wider] >= furthest[narrower] for wider, narrower in pairwise(found))


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


# Lesson 7


@few
@given(st.integers(0, 10**12), st.integers(1, 64), st.integers(1, 4096), st.integers(0, 64))
def test_a_file_has_all_bits_and_an_overhead_for_each_block_begun(parameters, bits, block, overhead):
    found = solution("07", "file_size")["file_megabytes"](parameters, bits, block, overhead)
    blocks, rest = divmod(parameters, block)
    exact = Fraction(parameters * bits, 8) + (blocks + bool(rest)) * overhead
    assert found == pytest.approx(float(exact / 1_000_000), rel=1e-9)


@few
@given(st.lists(st.integers(0, 15), min_size=32, max_size=32))
def test_packed_levels_are_read_back_by_the_lessons_decoder(levels):
    names = solution("07", "pack")
    handed = np.array(levels, dtype=np.uint8)
    packed = names["pack"](handed)
    assert (packed.dtype, packed.shape) == (np.uint8, (16,))
    assert handed.tolist() == levels
    header = np.array([1, 0], dtype="<f2").view(np.uint8)  # a step of 1 from 0
    assert decode_q4_1(np.concatenate([header, packed])).tolist() == levels


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 100)), min_size=1, max_size=4), st.data()
)
def test_no_layer_is_hurt_more_than_the_one_that_is_named(sizes, data):
    seed = data.draw(st.integers(0, 2**32))
    module = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.LayerNorm(2))
    for place, (rows, columns, outlier) in enumerate(sizes):
        layer = torch.nn.Linear(columns, rows)
        layer.weight.data = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed + place))
        layer.weight.data[0, 0] = outlier
        module.append(torch.nn.ModuleDict({"layer": layer}))
    before = copy.deepcopy(module.state_dict())
    found = solution("07", "most_hurt")["most_hurt"](module)
    assert all(torch.equal(weight, before[name]) for name, weight in module.state_dict().items())
    errors = {}
    for place in range(len(sizes)):
        weight = module[2 + place]["layer"].weight.detach().double()
        step = weight.abs().max() / 127
        off = (weight / step).round() * step - weight
        errors[f"{2 + place}.layer"] = float((off**2).sum().sqrt() / (weight**2).sum().sqrt())
    assert errors[found] >= max(errors.values()) - 1e-6


@few
@given(
    st.lists(st.floats(-65504, 65504, width=16), min_size=32, max_size=32)
    | st.floats(-65504, 65504, width=32).map(lambda w: [w] * 32)
)
def test_a_block_comes_back_within_half_a_step(weights):
    handed = np.array(weights, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step, minimum, levels = solution("07", "quantize_block")["quantize_block"](handed)
    assert handed.tolist() == np.array(weights, dtype=np.float32).tolist()
    assert (levels.dtype, levels.shape) == (np.uint8, (32,))
    assert levels.max() <= 15
    exact = handed.astype(float)
    largest = np.abs(float(minimum) + float(step) * levels - exact).max()
    assert largest <= np.ptp(exact) / 30 * (1 + 1e-4) + 1e-6 * np.abs(exact).max()


# Lesson 8

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["texts", "a"]), inner, max_size=2),
    max_leaves=6,
)


@few
@given(
    st.dictionaries(st.just("texts"), st.lists(st.text(max_size=6), max_size=3), min_size=1) | JSON, st.integers(0, 60)
)
def test_a_body_of_json_gets_the_status_of_what_is_in_it(data, most_bytes):
    body = json.dumps(data).encode()
    texts = data.get("texts") if type(data) is dict else None
    good = type(texts) is list and len(texts) > 0 and all(type(t) is str and not t.isspace() and t for t in texts)
    expected = 413 if len(body) > most_bytes else 200 if good else 422
    assert solution("08", "status_of")["status_of"](body, most_bytes) == expected


@few
@given(st.binary(max_size=40), st.integers(0, 200_000), st.integers(0, 1_000_000))
@example(b"[", 100_000, 1_000_000)
@example(b'{"texts":', 100_000, 1_000_000)
@example(b"9", 10_000, 1_000_000)
def test_no_body_makes_the_doorkeeper_raise(body, times, most_bytes):
    body = (body * times)[:1_000_000]
    found = solution("08", "status_of")["status_of"](body, most_bytes)
    assert found in ({413} if len(body) > most_bytes else {200, 422})


LOGITS = st.lists(st.floats(-4, 4, width=16) | st.just(math.nan) | st.just(math.inf), min_size=4, max_size=4)


@few
@given(
    st.lists(st.tuples(LOGITS, LOGITS, st.sampled_from([(2, 2), (4, 1), (1, 4)])), max_size=3),
    st.sampled_from([0.0, 0.5, 3.0]),
)
def test_a_copy_is_faithful_if_every_logit_is(batches, tolerance):
    def copied(texts):
        found, _, shape = batches[int(texts[0])]
        return torch.tensor(found).reshape(shape)

    def original(texts):
        _, wanted, _ = batches[int(texts[0])]
        return torch.tensor(wanted).reshape(2, 2)

    expected = all(
        shape == (2, 2)
        and all(math.isfinite(b) and abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))
        for found, wanted, shape in batches
    )
    faithful = solution("08", "faithful")["faithful"]
    assert faithful(copied, original, [[str(place)] for place in range(len(batches))], tolerance) is expected


@few
@given(*[st.integers(1, 10**6)] * 4, st.integers(1, 512))
@example(1_000, 300, 300, 100, 8)
def test_as_many_workers_as_fit_and_no_more(memory, program, model, batch, cores):
    found = solution("08", "workers")["workers"](memory, program, model, batch, cores)
    each = 10 * (program + model + batch)
    assert found * each <= 7 * memory
    assert found == cores or (found + 1) * each > 7 * memory


@few
@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 5), st.lists(st.integers(0, 4), max_size=4))
def test_a_job_that_is_cut_off_again_and_again_does_everything_once(texts, size, cuts):
    go_on = solution("08", "go_on")["go_on"]
    kept, results, done = list(texts), [], []
    for cut in [*cuts, None]:
        calls = []

        def classify(piece, cut=cut, calls=calls):
            if len(calls) == cut:
                raise OSError("the plug was pulled")
            calls.append(piece)
            return [text.upper() for text in piece]

        with contextlib.suppress(OSError):
            go_on(texts, results, classify, size)
        assert all(len(piece) == size for piece in calls[:-1])
        assert all(0 < len(piece) <= size for piece in calls)
        done += [text for piece in calls for text in piece]
        assert results == [text.upper() for text in done]
        assert texts == kept
    assert done == texts


# Lesson 9


@few
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20), st.integers(1, 200))
def test_a_perplexity_is_the_geometric_mean_of_one_by_the_probabilities(probabilities, times):
    found = solution("09", "perplexity_of")["perplexity_of"](probabilities * times)
    assert found == pytest.approx(statistics.geometric_mean(1 / p for p in probabilities), rel=1e-4)


@few
@given(
    st.lists(st.floats(-20, 20, width=16) | st.just(-math.inf), min_size=1, max_size=12),
    st.sampled_from([0.05, 0.3, 1.0]),
    st.data(),
)
def test_min_p_keeps_what_is_likely_enough(scores, share, data):
    first = data.draw(st.integers(0, len(scores) - 1))
    scores[first] = 20.0  # not all can be minus infinity
    logits = torch.tensor([[scores, scores[::-1]]])
    before = logits.clone()
    found = solution("09", "min_p")["min_p"](logits, share)
    assert torch.equal(logits, before)
    assert found.shape == logits.shape
    for row, (old, new) in enumerate(zip(before[0].tolist(), found[0].tolist(), strict=True)):
        for score, kept in zip(old, new, strict=True):
            assert kept in (score, -math.inf), row
            ratio = math.exp(score - max(old))
            if abs(ratio - share) > 1e-4 * share or ratio == share:
                assert (kept == score) == (ratio >= share) or score == -math.inf


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=8)), max_size=4),
    st.text(max_size=8),
)
def test_a_chat_that_begins_with_a_system_turn_is_rendered_as_the_tokenizer_does_it(turns, system):
    names = solution("09", "render_chat")
    messages = [{"role": role, "content": content} for role, content in [("system", system), *turns]]
    before = copy.deepcopy(messages)
    expected = names["tokenizer"].apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert names["render_chat"](messages) == expected
    assert messages == before


@few
@given(
    st.lists(st.floats(-20, 20, width=16) | st.just(-math.inf), min_size=8, max_size=8),
    st.lists(st.integers(0, 7), min_size=1, max_size=12),
    st.sampled_from([0.5, 1.0, 1.3, 2]),
)
def test_a_penalty_is_the_librarys(scores, tokens, penalty):
    logits, ids = torch.tensor([scores]), torch.tensor([tokens])
    before = logits.clone()
    found = solution("09", "penalize")["penalize"](logits, ids, penalty)
    assert torch.equal(logits, before)
    assert torch.allclose(found, RepetitionPenaltyLogitsProcessor(float(penalty))(ids, logits.clone()))
