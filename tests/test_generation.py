"""Lesson 9's hand-made loop, filters, cache and model, and the package's, held to `generate` on other prompts."""

import ast
import math
import random
from collections.abc import Iterator
from types import SimpleNamespace

import nbformat
import pytest
import torch
from conftest import NOTEBOOKS
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GPT2Config, LlamaConfig
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from course_utils import checkpoint
from course_utils.modeling import generation

PROMPTS = [
    "I think that",
    "def add(a, b):",
    "\n",
    "漢字 and 😀",
    "1, 2, 3,",
    "x",
    "   leading blanks",
    "Once upon a time there was a",
    "ALL IN CAPITALS, EVERY SINGLE",
    "Der Zug nach Hamburg",
    "La capitale de la France est",
    "Q: What is 2 + 2?\nA:",
    "<|im_start|>user\nName a colour.<|im_end|>\n<|im_start|>assistant\n",
    '{"name": "Ada", "born":',
    "SELECT name FROM people WHERE",
    "The the the the the the the",
    "https://example.org/",
    "Review: It broke after a week.\nSentiment:",
    "A tab\tand a\r\nline break, then",
    "She said: “Fine, is it not?” and",
    "good " * 60,
    "Zażółć gęślą jaźń",
    "<|im_end|>",
    "According to a report that was published on Tuesday, the committee",
    "3.14159265",
]
SETTINGS = [
    {"temperature": 1.3, "top_k": 0, "top_p": 1.0},
    {"temperature": 0.7, "top_k": 0, "top_p": 0.8},
    {"temperature": 0.9, "top_k": 40, "top_p": 0.9},
    {"temperature": 1.0, "top_k": 5, "top_p": 1.0},
]


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_MODELS", raising=False)
        yield checkpoint("HuggingFaceTB/SmolLM2-135M-Instruct")


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def decoder(folder):
    """A model of SmolLM2's make, with its vocabulary, and few random weights."""
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2}
    config = AutoConfig.from_pretrained(folder)
    config.update({**sizes, "head_dim": 8, "hidden_size": 48, "intermediate_size": 64, "dtype": torch.float32})
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # so that there are likely and unlikely tokens
    model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def definitions():
    """The functions that the lesson defines, compiled."""
    cells = nbformat.read(NOTEBOOKS / "09_generating_text.ipynb", as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code" and not cell.source.startswith("%")]
    nodes = [
        node
        for source in sources
        if "exercise" not in source and "load_ext" not in source
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    ]
    return compile(ast.Module(nodes, []), "lesson 9", "exec")


def taught_with(model, tokenizer, definitions) -> dict:
    """The lesson's functions, with the few names that they read."""
    namespace = {
        "torch": torch,
        "model": model,
        "tokenizer": tokenizer,
        "weights": model.state_dict(),
        "config": model.config,
        "size": model.config.head_dim,
        "base": 100_000,
        "random": random,
    }
    exec(definitions, namespace)
    return namespace


@pytest.fixture(scope="module")
def taught(decoder, tokenizer, definitions) -> dict:
    return taught_with(decoder, tokenizer, definitions)


def small(kind: str = "llama", **changes):
    torch.manual_seed(0)
    sizes = {"vocab_size": 70, "bos_token_id": 1, "eos_token_id": changes.pop("end", None)}
    if kind == "gpt2":
        config = GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, **sizes)
    else:
        config = LlamaConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
            **sizes,
        )
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # so that there are likely and unlikely tokens
    return model


def by_library(model, ids: torch.Tensor, steps: int, **options) -> torch.Tensor:
    options = {"do_sample": False, "pad_token_id": 0, **options}
    return model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=steps, **options)


# The filters, the lesson's and the package's


@pytest.fixture
def scores() -> torch.Tensor:
    return 3 * torch.randn(2, 500, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 3.0])
def test_temperature_is_the_library_s(taught, scores, temperature):
    expected = TemperatureLogitsWarper(temperature)(None, scores)
    assert torch.equal(generation.with_temperature(scores, temperature), expected)
    assert torch.equal(taught["with_temperature"](scores, temperature), expected)


@pytest.mark.parametrize("k", [1, 2, 40, 500])
def test_top_k_is_the_library_s(taught, scores, k):
    scores[0, :3] = scores[0].max()  # ties at the limit stay
    expected = TopKLogitsWarper(k)(None, scores)
    assert torch.equal(generation.keep_top_k(scores, k), expected)
    assert torch.equal(taught["keep_top_k"](scores, k), expected)


@pytest.mark.parametrize("p", [0.001, 0.3, 0.8, 0.95, 0.999])
def test_top_p_is_the_library_s(taught, scores, p):
    expected = TopPLogitsWarper(p)(None, scores)
    assert torch.equal(generation.keep_top_p(scores, p), expected)
    assert torch.equal(taught["keep_top_p"](scores, p), expected)
    shares = scores.softmax(dim=-1)
    kept = shares.masked_fill(expected == -math.inf, 0)
    assert (kept.sum(dim=-1) >= p - 1e-5).all()
    smallest = shares.masked_fill(expected == -math.inf, 2).amin(dim=-1)
    assert (kept.sum(dim=-1) - smallest < p + 1e-5).all(), "fewer would have been enough"


def test_a_k_beyond_the_vocabulary_keeps_all(scores):
    assert torch.equal(generation.keep_top_k(scores, 10_000), scores)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: generation.with_temperature(x, 0), "a temperature is a positive number, not 0"),
        (lambda x: generation.with_temperature(x, -1.0), "a positive number, not -1.0"),
        (lambda x: generation.with_temperature(x, math.inf), "not inf"),
        (lambda x: generation.with_temperature(x, math.nan), "not nan"),
        (lambda x: generation.with_temperature(x, True), "not True"),
        (lambda x: generation.keep_top_k(x, 0), "at least 1, not 0"),
        (lambda x: generation.keep_top_k(x, 2.5), "at least 1, not 2.5"),
        (lambda x: generation.keep_top_p(x, 0), "above 0 and up to 1, not 0"),
        (lambda x: generation.keep_top_p(x, 1.1), "not 1.1"),
        (lambda x: generation.keep_top_p(x, "0.9"), "not '0.9'"),
    ],
)
def test_an_option_out_of_range_is_a_sentence(scores, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(scores)


# The loop


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("cache", [True, False])
def test_the_loop_is_generate_s(kind, cache):
    model = small(kind)
    for length, steps in ((1, 1), (1, 20), (7, 30), (30, 1)):
        ids = torch.randint(3, 70, (1, length), generator=torch.Generator().manual_seed(length))
        assert torch.equal(generation.generate(model, ids, steps, cache=cache), by_library(model, ids, steps))
        options = {"temperature": 0.8, "top_k": 30, "top_p": 0.9}
        torch.manual_seed(length)
        mine = generation.generate(model, ids, steps, sample=True, cache=cache, **options)
        torch.manual_seed(length)
        assert torch.equal(mine, by_library(model, ids, steps, do_sample=True, **options))


def test_without_filters_it_draws_from_all():
    model, ids = small(), torch.tensor([[5, 6]])
    torch.manual_seed(1)
    mine = generation.generate(model, ids, 25, sample=True)
    torch.manual_seed(1)
    assert torch.equal(mine, by_library(model, ids, 25, do_sample=True, top_k=0, top_p=1.0, temperature=1.0))


def test_it_stops_where_the_model_ends_the_text():
    model, ids = small(), torch.tensor([[5, 6]])
    free = generation.generate(model, ids, 20)[0, 2:].tolist()
    last = free[4]
    for end in (last, [69, last]):
        model.generation_config.eos_token_id = end
        stopped = generation.generate(model, ids, 20)
        assert stopped[0, 2:].tolist() == free[: free.index(last) + 1]
        assert torch.equal(stopped, by_library(model, ids, 20, eos_token_id=end))


@pytest.mark.parametrize(
    ("ids", "steps", "sentence"),
    [
        (torch.zeros(1, 0, dtype=torch.long), 3, "the prompt is empty"),
        (torch.ones(2, 3, dtype=torch.long), 3, r"one prompt at a time, as ids of shape \(1, tokens\), not \(2, 3\)"),
        (torch.ones(3, dtype=torch.long), 3, "one prompt at a time"),
        (torch.ones(1, 3, dtype=torch.long), 0, "at least 1, not 0"),
        (torch.ones(1, 3, dtype=torch.long), 2.0, "at least 1, not 2.0"),
        (torch.ones(1, 60, dtype=torch.long), 5, "65 tokens are more than the 64 that this model can take"),
    ],
)
def test_what_cannot_be_written_on_from_is_a_sentence(ids, steps, sentence):
    with pytest.raises(ValueError, match=sentence):
        generation.generate(small(), ids, steps)


def test_a_text_may_fill_the_context_to_the_last_token():
    assert generation.generate(small(), torch.ones(1, 60, dtype=torch.long), 4).shape == (1, 64)


# Perplexity


def test_perplexity_is_the_exponential_of_the_library_s_loss():
    model, ids = small(), torch.randint(3, 70, (1, 20), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        loss = model(ids, labels=ids).loss
    assert generation.perplexity(model, ids) == pytest.approx(loss.exp().item(), rel=1e-4)
    assert generation.surprise(model, ids).shape == (19,)
    for bad in (ids[:, :1], ids[0], ids.repeat(2, 1)):
        with pytest.raises(ValueError, match="at least two tokens"):
            generation.surprise(model, bad)
    with pytest.raises(ValueError, match="80 tokens are more than the 64"):
        generation.surprise(model, ids.repeat(1, 4))


# The lesson's own functions: any prompt with a small model of the same make, one with the real one


def assert_same_texts(taught, model, ids, atol) -> None:
    with torch.inference_mode():
        expected = model(ids).logits
    torch.testing.assert_close(taught["forward"](ids, {}), expected, rtol=0, atol=atol)
    written = by_library(model, ids, 6)
    assert torch.equal(taught["write"](ids, 6, taught["pick_likeliest"]), written)
    assert torch.equal(taught["write_cached"](ids, 6), written)
    assert torch.equal(generation.generate(model, ids, 6), written)


def assert_same_draws(taught, model, ids, options, seed) -> None:
    def shape(logits):
        logits = taught["with_temperature"](logits, options["temperature"])
        if options["top_k"]:
            logits = taught["keep_top_k"](logits, options["top_k"])
        return taught["keep_top_p"](logits, options["top_p"]) if options["top_p"] < 1 else logits

    torch.manual_seed(seed)
    mine = taught["write"](ids, 8, taught["draw_like_library"](shape))
    torch.manual_seed(seed)
    theirs = by_library(model, ids, 8, do_sample=True, **options)
    assert torch.equal(mine, theirs)
    torch.manual_seed(seed)
    shaping = {name: value for name, value in options.items() if value not in (0, 1.0)}
    assert torch.equal(generation.generate(model, ids, 8, sample=True, **shaping), theirs)


@pytest.mark.parametrize("number", range(len(PROMPTS)))
def test_the_taught_loop_cache_draw_and_model_are_the_library_s(taught, decoder, tokenizer, number):
    ids = tokenizer(PROMPTS[number], return_tensors="pt")["input_ids"]
    assert_same_texts(taught, decoder, ids, atol=1e-4)
    assert_same_draws(taught, decoder, ids, SETTINGS[number % len(SETTINGS)], seed=number)


def test_they_are_with_the_real_model_too(folder, tokenizer, definitions):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    taught = taught_with(model, tokenizer, definitions)
    ids = tokenizer("She said: “Fine, is it not?” and", return_tensors="pt")["input_ids"]
    assert_same_texts(taught, model, ids, atol=5e-3)
    assert_same_draws(taught, model, ids, SETTINGS[2], seed=2)


def test_the_taught_text_ends_where_the_model_ends_it(decoder, tokenizer, definitions):
    ids = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    free = by_library(decoder, ids, 8)[0, ids.shape[1] :].tolist()
    taught = taught_with(decoder, SimpleNamespace(eos_token_id=free[4]), definitions)
    expected = free[: free.index(free[4]) + 1]
    for written in (taught["write"](ids, 8, taught["pick_likeliest"]), taught["write_cached"](ids, 8)):
        assert written[0, ids.shape[1] :].tolist() == expected


def test_the_taught_cache_takes_a_text_in_pieces(taught, tokenizer):
    ids = tokenizer("one two three four five six seven", return_tensors="pt")["input_ids"]
    whole, cache = taught["forward"](ids, {}), {}
    pieces = [taught["forward"](part, cache) for part in (ids[:, :3], ids[:, 3:4], ids[:, 4:])]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-4)
    copy = dict(cache)
    taught["forward"](ids[:, :1], copy)
    name = "model.layers.0.self_attn"
    assert cache[name][0].shape[2] + 1 == copy[name][0].shape[2]


def test_the_taught_surprise_is_the_package_s(taught, decoder, tokenizer):
    text = "It was, in a word, fine."
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    following, surprises = taught["surprise"](text)
    assert torch.equal(following, ids[0, 1:])
    torch.testing.assert_close(surprises, generation.surprise(decoder, ids), rtol=0, atol=1e-4)


# The exercises' solutions against the library


def test_the_penalty_of_the_exercise_is_the_library_s():
    cells = nbformat.read(NOTEBOOKS / "09_generating_text.ipynb", as_version=4).cells
    (solution,) = [c.source for c in cells if c.metadata.get("exercise") == "penalize" and c.cell_type == "markdown"]
    namespace = {"torch": torch}
    exec(solution.partition("```python\n")[2].partition("```")[0], namespace)
    scores = torch.randn(1, 40, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[3, 3, 9, 30]])
    expected = RepetitionPenaltyLogitsProcessor(1.7)(ids, scores.clone())
    torch.testing.assert_close(namespace["penalize"](scores, ids, 1.7), expected)


def test_the_chat_of_the_exercise_is_the_tokenizer_s(tokenizer):
    cells = nbformat.read(NOTEBOOKS / "09_generating_text.ipynb", as_version=4).cells
    (solution,) = [c.source for c in cells if c.metadata.get("exercise") == "render_chat" and c.cell_type == "markdown"]
    namespace = {}
    exec(solution.partition("```python\n")[2].partition("```")[0], namespace)
    messages = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "Hello\nthere"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye"},
    ]
    expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert namespace["render_chat"](messages) == expected
