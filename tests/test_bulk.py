"""Many texts: order, memory, repeats, threads; and the library's pipeline as the measure of every label."""

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sentiment import HOSTILE, assert_same

from course_utils import SentimentPipeline, reviews
from course_utils.classifier import backends, tokens
from course_utils.classifier import pipeline as sentiment
from course_utils.models import CheckpointError, catalogue


@pytest.fixture(scope="module")
def classify(sentiment_pipeline):
    return sentiment_pipeline


@pytest.fixture(scope="module")
def table():
    return reviews.load("validation").sample(400, random_state=3).reset_index(drop=True)


@pytest.fixture(scope="module")
def sample(table):
    return table["text"].tolist()


@pytest.fixture(scope="module")
def expected(library_pipeline, table):
    """What the library says of them, asked in batches of similar lengths, for it takes long over one at a time."""
    order = table["text"].str.len().argsort(kind="stable")
    answers = library_pipeline(table["text"][order].tolist(), truncation=True, batch_size=32)
    return [answers[place] for place in order.argsort()]


@pytest.fixture
def two_threads():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_every_label_is_the_library_s(classify, sample, expected, two_threads):
    assert_same(classify(sample), expected)
    assert_same(classify(sample[99::-1]), expected[99::-1])


def test_one_thread_answers_as_two_do(classify, sample, expected):
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert_same(classify(sample[:50]), expected[:50])
    finally:
        torch.set_num_threads(threads)


def test_threads_are_as_before_afterwards(classify, sample, two_threads):
    import torch

    classify(sample[:100])
    assert torch.get_num_threads() == 2
    assert threading.active_count() < 10


@pytest.mark.parametrize(("text", "threads"), [("A joy.", 1), ("A joy. " * 100, 2)], ids=["short", "long"])
def test_a_short_text_alone_takes_one_thread(classify, two_threads, text, threads):
    import torch

    seen = []
    hook = classify.model.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        classify(text)
    finally:
        hook.remove()
    assert seen == [threads]
    assert torch.get_num_threads() == 2


def test_the_model_is_left_as_it_was(classify, sample, two_threads):
    import torch

    classify(sample[:100])
    with torch.inference_mode():
        hidden = classify.model.distilbert(**classify.preprocess(["one two three"])).last_hidden_state
    assert hidden.shape[:2] == (1, 5)


@pytest.mark.parametrize("which", ["reviews_checkpoint", "tweets_checkpoint"])
def test_reading_the_first_position_alone_changes_no_logit(which, request, sample):
    import torch

    classify = SentimentPipeline(request.getfixturevalue(which))
    twin = backends.read_first_position(classify.model)
    assert twin is not classify.model
    assert {id(p) for p in twin.parameters()} == {id(p) for p in classify.model.parameters()}
    inputs = classify.preprocess(sample[:16])
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        torch.testing.assert_close(twin(**inputs).logits, classify.model(**inputs).logits, atol=1e-5, rtol=0)


def test_a_family_that_is_not_known_is_computed_in_full(classify):
    import copy

    other = copy.deepcopy(classify.model)
    other.config.model_type = "unheard-of"
    assert backends.read_first_position(other) is other


def test_hostile_texts_keep_their_places_among_others(classify, sample):
    mixed = [text for pair in itertools.zip_longest(sample[:20], HOSTILE, fillvalue="fine") for text in pair]
    assert_same(classify(mixed), [classify(text) for text in mixed])


def test_a_text_that_comes_again_is_computed_once(classify, monkeypatch):
    rows = []
    logits = classify._backend.logits
    monkeypatch.setattr(classify._backend, "logits", lambda ids, mask: rows.append(len(ids)) or logits(ids, mask))
    results = classify(["lovely", "awful", "lovely"] * 30)
    assert sum(rows) == 2
    assert [result["label"] for result in results[:3]] == ["POSITIVE", "NEGATIVE", "POSITIVE"]
    assert results[0] is not results[2]  # each result is the caller's own


def test_a_stream_reads_one_window_ahead(classify, monkeypatch):
    monkeypatch.setattr(sentiment, "WINDOW_TEXTS", 5)
    read = itertools.count()
    results = classify.stream(f"It is number {next(read)}." for _ in itertools.count())
    assert next(read) == 0
    for _ in range(7):
        next(results)
    assert next(read) <= 2 * 5 + 2


def test_a_window_is_bounded_in_characters_too(monkeypatch):
    monkeypatch.setattr(sentiment, "WINDOW_CHARACTERS", 10)
    windows = list(sentiment._windows(["aaaa", "bbbb", "cccc", "d" * 50, "e"]))
    assert windows == [["aaaa", "bbbb"], ["cccc"], ["d" * 50], ["e"]]


def test_a_stream_gives_what_a_call_gives(classify, sample, monkeypatch):
    monkeypatch.setattr(sentiment, "WINDOW_TEXTS", 7)
    assert_same(list(classify.stream(iter(sample[:50]))), classify(sample[:50]))
    assert list(classify.stream([])) == []


def test_a_stream_gives_the_results_before_a_bad_text(classify):
    results = classify.stream(["good", "bad", None, "good"])
    assert [next(results)["label"] for _ in range(2)] == ["POSITIVE", "NEGATIVE"]
    with pytest.raises(TypeError, match="text number 3 is a NoneType"):
        next(results)


@pytest.mark.parametrize("texts", ["one text", b"bytes", None, 3])
def test_a_stream_wants_an_iterable_of_texts(classify, texts):
    with pytest.raises(TypeError):
        classify.stream(texts)


def test_half_a_character_is_named(classify):
    with pytest.raises(ValueError, match="lone surrogate, U\\+D83D"):
        classify("good \ud83d")


def test_a_report_says_why_and_counts_everything(classify):
    told = []
    found = classify.report(["good", None, "", "bad", "x\udfff", 7, "good"], told.append)
    assert [row["label"] for row in found] == ["POSITIVE", None, None, "NEGATIVE", None, None, "POSITIVE"]
    assert [row["error"] is None for row in found] == [row["label"] is not None for row in found]
    assert sum(told) == 7


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.none(), st.integers(), st.binary(max_size=3)), max_size=12))
def test_a_report_takes_anything(classify, texts):
    found = classify.report(texts)
    assert len(found) == len(texts)
    for text, row in zip(texts, found, strict=True):
        assert (row["error"] is None) == (sentiment.find_text_problem(text) is None)
        assert (row["label"] is None) == (row["error"] is not None)


def test_the_quick_tokenizer_gives_the_library_s_ids(classify, sample):
    texts = [*sample[:100], *HOSTILE]
    assert classify._tokens.encode(texts) == classify.tokenizer(texts, truncation=True)["input_ids"]


def test_the_files_of_a_folder_give_the_same_ids_without_transformers(classify, fast, sample):
    texts = [*sample[:100], *HOSTILE]
    assert fast._tokens.encode(texts) == classify.tokenizer(texts, truncation=True)["input_ids"]
    assert (fast._tokens.pad_id, fast._tokens.pads_left) == (fast.tokenizer.pad_token_id, False)
    code = "import sys; from course_utils import SentimentPipeline; classify = SentimentPipeline(sys.argv[1], "
    code += "backend='onnx'); print(classify('Fine.')['label'], {'torch', 'transformers'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code, fast.model_name], capture_output=True, text=True)
    assert done.stdout == "POSITIVE set()\n", done.stderr


def test_a_tokenizer_without_a_quick_one_serves_too(classify):
    class Slow:
        padding_side, pad_token_id = "left", 7

        def __call__(self, texts, truncation):
            return classify.tokenizer(texts, truncation=truncation)

    slow = tokens.of_tokenizer(Slow())
    assert slow.encode(["so good"]) == classify._tokens.encode(["so good"])
    assert (slow.pad_id, slow.pads_left) == (7, True)


def test_left_padding_is_left(classify, monkeypatch):
    monkeypatch.setattr(classify._tokens, "pads_left", True)
    ids, mask = classify._pad([[5, 6, 7], [8]])
    assert np.array_equal(mask, [[1, 1, 1], [0, 0, 1]])
    assert ids[1, 2] == 8


def test_an_interruption_ends_the_threads(classify, sample, monkeypatch, two_threads):
    calls = itertools.count()

    def interrupt(ids, mask):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return np.zeros((len(ids), 2), dtype=np.float32)

    monkeypatch.setattr(classify._backend, "logits", interrupt)
    with pytest.raises(KeyboardInterrupt):
        classify(sample)
    assert next(calls) < len(sample) / 4
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.fixture(scope="module")
def fast(reviews_checkpoint):
    return SentimentPipeline(reviews_checkpoint, backend="onnx")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_fast_backend_gives_nearly_every_label(fast, sample, expected, monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    found = fast(sample)
    same = [one["label"] == other["label"] for one, other in zip(found, expected, strict=True)]
    assert np.mean(same) >= 0.985  # 99 % and more on thousands of texts (benchmarks/)


def test_int8_alone_keeps_nearly_all_labels_and_is_hardly_less_right(fast, table, expected, monkeypatch):
    monkeypatch.setattr(fast._backend, "close_call", 0.0)
    int8 = np.array([answer["label"] for answer in fast(table["text"].tolist())])
    fp32 = np.array([answer["label"] for answer in expected])
    assert (int8 == fp32).mean() > 0.95
    clear = table["rating"].abs() >= reviews.THRESHOLD
    truth = np.where(table["rating"] > 0, "POSITIVE", "NEGATIVE")[clear]
    assert clear.sum() > 300
    assert (int8[clear] == truth).mean() > (fp32[clear] == truth).mean() - 0.02


def test_the_fast_backend_takes_one_text_and_hostile_ones(fast):
    assert fast("A joy from start to end.")["label"] == "POSITIVE"
    assert [result["label"] for result in fast(HOSTILE)] == [fast(text)["label"] for text in HOSTILE]
    assert fast.forward("so good").logits.shape == (1, 2)
    assert fast.process_outputs(fast.forward("so good"))[0]["label"] == "POSITIVE"


def test_close_calls_are_decided_in_fp32(fast, classify, sample, monkeypatch):
    monkeypatch.setattr(fast._backend, "close_call", 1e9)
    assert_same(fast(sample[:40]), classify(sample[:40]))


def test_the_export_is_found_by_hub_name_checkpoint_or_folder(reviews_checkpoint):
    name = "distilbert-base-uncased-finetuned-sst-2-english"
    folder = backends.find_onnx_folder(name)
    assert backends.find_onnx_folder(f"distilbert/{name}") == folder
    assert backends.find_onnx_folder(reviews_checkpoint) == folder == backends.find_onnx_folder(folder)


def test_nothing_is_downloaded_to_find_out_which_model_a_folder_is(monkeypatch, tmp_path):
    """With COURSE_MODELS=hub a folder is compared with what is in the Hub's cache already."""
    asked = []

    def look(name, *, local_files_only=False, **options):
        asked.append((name, local_files_only))
        return str(tmp_path / name)

    monkeypatch.setattr("huggingface_hub.snapshot_download", look)
    monkeypatch.setenv("COURSE_MODELS", "hub")
    with pytest.raises(CheckpointError, match="has no export to ONNX here"):
        backends.find_onnx_folder(tmp_path)
    assert asked == [(name, True) for name in catalogue()]
    name = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    with pytest.raises(CheckpointError, match=f"The ONNX export of {name} isn't ready"):
        backends.find_onnx_folder(tmp_path / name)


def test_a_model_without_export_is_named(tweets_checkpoint):
    with pytest.raises(CheckpointError, match="has no export to ONNX"):
        SentimentPipeline(tweets_checkpoint, backend="onnx")
    with pytest.raises(ValueError, match="'torch' or 'onnx'"):
        SentimentPipeline(tweets_checkpoint, backend="tpu")
