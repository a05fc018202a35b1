"""The words of the field: the course owes its reader each, has it in the glossary, and defines it before it uses it.

The rule, through the lessons in order. Prose is read: Markdown with its headings, and the objectives in the front
matter. Code, formulas, pictures with their captions, and addresses are not. Then, for each word of `WORDS`:

1. **The first paragraph (or list, or table) that has the word defines it**: the word is bold or italic there, and the
   paragraph links its entry in the glossary, as in `[**softmax**](../glossary.qmd#softmax)`.
2. **A heading** may have the word before, if the first paragraph below it that has the word defines it.
3. **An objective** may have it before, if it says in a few words what it is: behind the word, as in "a decoder, a model
   that writes" or "bf16 (half of a float)"; or before it, as in "the raw scores, its logits".

A word of everyday English counts from the lesson on that is named with it: before, it means something else.
"""

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

import nbformat
import pytest
from conftest import LESSONS

from course_build.lessons import index as lessons
from course_build.lessons import lesson_files


class Word(NamedTuple):
    """A word: the entry in the glossary, how it is written (a regular expression), the lesson from which it counts."""

    entry: str
    written: str
    since: int = 1


WORDS = [
    # what the course is about
    Word("NLP", r"NLP|natural language processing"),
    Word("Language model", r"(?<!large )language models?"),
    Word("Large language model", r"LLMs?|large language models?"),
    Word("Neural network", r"neural networks?"),
    Word("Transformer", r"(?-i:Transformers?)"),
    Word("Encoder", r"encoders?"),
    Word("Decoder", r"decoders?"),
    Word("Sentiment analysis", r"sentiment analysis"),
    # a model and its files
    Word("Checkpoint", r"checkpoints?"),
    Word("Config", r"configs?"),
    Word("Model card", r"model cards?"),
    Word("Parameter", r"parameters?", 3),
    Word("Revision", r"revisions?"),
    Word("Tensor", r"tensors?"),
    Word("Vector", r"vectors?"),
    # text in, answer out
    Word("Attention mask", r"attention masks?"),
    Word("BPE", r"BPE|byte pair encoding"),
    Word("Logits", r"logits?"),
    Word("Padding", r"padding|padded"),
    Word("Softmax", r"softmax"),
    Word("Special token", r"special tokens?"),
    Word("Token", r"tokens?"),
    Word("Tokenizer", r"tokenizers?"),
    Word("Truncation", r"truncat(?:ion|e[sd]?|ing)"),
    Word("Unicode normalization", r"normalization", 4),
    Word("Vocabulary", r"vocabular(?:y|ies)"),
    Word("WordPiece", r"WordPiece"),
    # inside
    Word("Attention", r"attention(?! masks?| heads?)", 3),
    Word("Attention head", r"attention heads?"),
    Word("Bias of a linear layer", r"bias(?:es)?", 5),
    Word("Causal mask", r"causal masks?"),
    Word("Dot product", r"dot products?"),
    Word("Embedding", r"embeddings?"),
    Word("Feed-forward network", r"feed-forward networks?"),
    Word("GELU", r"GELU"),
    Word("Hidden state", r"hidden states?"),
    Word("Key", r"keys?", 5),
    Word("Layer norm", r"layer norm(?:alization)?s?"),
    Word("Multi-head attention", r"multi-head attention"),
    Word("Query", r"quer(?:y|ies)", 5),
    Word("Residual connection", r"residual connections?"),
    Word("Self-attention", r"self-attention"),
    Word("Value", r"values?", 5),
    # training
    Word("Adapter", r"adapters?"),
    Word("Batch", r"batch(?:es)?"),
    Word("Cross-entropy", r"cross-entropy"),
    Word("Distillation", r"distill(?:ation|ed)"),
    Word("Dropout", r"dropout"),
    Word("Epoch", r"epochs?"),
    Word("Fine-tuning", r"fine-tun(?:e[sd]?|ing)"),
    Word("Gradient", r"gradients?"),
    Word("Inference", r"inference"),
    Word("Learning rate", r"learning rates?"),
    Word("LoRA", r"LoRA"),
    Word("Loss", r"loss(?:es)?"),
    Word("Optimizer", r"optimizers?"),
    Word("Overfitting", r"overfit(?:s|ting|ted)?"),
    Word("Pretraining", r"pretrain(?:ed|ing)?"),
    Word("Seed", r"seeds?"),
    Word("Weight decay", r"weight decay"),
    # judging
    Word("Accuracy", r"accurac(?:y|ies)"),
    Word("Baseline", r"baselines?"),
    Word("Confusion matrix", r"confusion matri(?:x|ces)"),
    Word("Expected calibration error", r"calibrat(?:ion|ed)"),
    Word("Held-out", r"held[- ]out"),
    Word("Social bias", r"social(?:ly)? bias(?:ed|es)?"),
    Word("Split", r"(?:train|training|validation|test) (?:splits?|sets?)"),
    Word("Standard deviation", r"standard deviations?"),
    Word("Standard error", r"standard errors?"),
    # smaller, and out into the world
    Word("bf16", r"bf16"),
    Word("GGUF", r"GGUF"),
    Word("Half precision", r"half precision"),
    Word("int8", r"int8"),
    Word("Latency", r"latency"),
    Word("ONNX", r"ONNX(?! Runtime)"),
    Word("Quantization", r"quantiz(?:ation|e[sd]?|ing)"),
    Word("Throughput", r"throughput"),
    # writing
    Word("Chat template", r"chat templates?"),
    Word("Context length", r"context lengths?"),
    Word("Few-shot", r"few-shot"),
    Word("Generation", r"generation"),
    Word("Greedy decoding", r"greedy decoding"),
    Word("KV cache", r"KV caches?"),
    Word("Perplexity", r"perplexit(?:y|ies)"),
    Word("Prompt", r"prompt(?:s|ed)?", 9),
    Word("Sampling", r"sampling", 9),
    Word("Temperature", r"temperatures?"),
    Word("Top-k", r"top-k"),
    Word("Top-p", r"top-p"),
    Word("Zero-shot", r"zero-shot"),
]

NO_PROSE = [
    r"^(`{3,}|~{3,}).*?^\1\s*$",  # blocks of code
    r"`[^`\n]+`",
    r"^!\[[^\n]*$",  # pictures with their captions and what they show
    r"\$\$.*?\$\$|\$[^$\n]+\$",
    r"<[^<>]+>",
    r"^:{3,}[^\n]*$",
    r"https?://\S+",
]
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
EMPHASIS = re.compile(r"\*{1,2}([^*]+)\*{1,2}")


class Paragraph(NamedTuple):
    """A paragraph of a lesson: what it is, its Markdown without code, and the anchors in the glossary that it links."""

    kind: str
    text: str
    linked: frozenset[str]


def prose(markdown: str) -> str:
    for pattern in NO_PROSE:
        markdown = re.sub(pattern, " ", markdown, flags=re.MULTILINE | re.DOTALL)
    return markdown


def paragraphs(notebook: nbformat.NotebookNode, objectives: list[str]) -> Iterator[Paragraph]:
    """Yield what a reader reads of a lesson, in order: the objectives of its front matter and its Markdown."""
    yield from (Paragraph("objective", prose(text), frozenset()) for text in objectives)
    promised = False
    for cell in notebook.cells:
        source = prose(cell.source) if cell.cell_type == "markdown" else ""
        for part in re.split(r"\n\s*\n", source):
            linked = frozenset(address.partition("#")[2] for _, address in LINK.findall(part) if "glossary" in address)
            kind = "heading" if part.lstrip().startswith("#") else "objective" if promised else "text"
            if part.strip():
                yield Paragraph(kind, LINK.sub(r"\1", part), linked)
                promised = part.rstrip().endswith("you can:")


def has(word: Word, text: str) -> bool:
    return re.search(rf"(?<![\w-])(?:{word.written})(?![\w-])", text, re.IGNORECASE) is not None


def defines(word: Word, paragraph: Paragraph) -> bool:
    set_apart = any(has(word, span) for span in EMPHASIS.findall(paragraph.text))
    return set_apart and lesson_files.anchor(word.entry) in paragraph.linked


def explains(word: Word, objective: str) -> bool:
    """Whether an objective says in a few words what a word is, behind it or before."""
    plain = " ".join(objective.replace("*", "").split())
    behind = rf"\b(?:{word.written})(?: \w+)?(?: \(|, (?:an?|the|its?|which|that|what|how|one|those|so)\b)"
    before = rf"(?:, (?:its|the|an?|or|called|which is|that is) |\((?:an? |the |its )?)(?:{word.written})\b"
    return re.search(f"{behind}|{before}", plain, re.IGNORECASE) is not None


def breaches(number: int, read: list[Paragraph], known: set[str]) -> list[str]:
    """Say what is wrong in a lesson with the words that it is the first to use; add them to those that are known."""
    found = []
    for word in WORDS:
        if word.entry in known or number < word.since:
            continue
        heading = ""
        for paragraph in read:
            if not has(word, paragraph.text):
                continue
            shown = " ".join(paragraph.text.split())[:150]
            if paragraph.kind == "objective":
                if not explains(word, paragraph.text):
                    found.append(f"{word.entry}: an objective has it and doesn't explain it: {shown}")
                continue
            if paragraph.kind == "heading":
                heading = heading or shown
                continue
            known.add(word.entry)
            if not defines(word, paragraph):
                where = f" (below the heading {heading})" if heading else ""
                found.append(f"{word.entry}: it isn't defined where it is first used{where}: {shown}")
            break
    return found


@functools.cache
def all_breaches() -> dict[str, list[str]]:
    """Return what is wrong in each lesson, by its notebook's name; in the last one also which words the course owes."""
    known: set[str] = set()
    found = {}
    for path in LESSONS:
        objectives = [objective["text"] for objective in lessons.front_matter(path)["objectives"]]
        read = list(paragraphs(nbformat.read(path, as_version=4), objectives))
        found[path.stem] = breaches(int(path.name[:2]), read, known)
    found[LESSONS[-1].stem] += [f"{word.entry}: no lesson has it" for word in WORDS if word.entry not in known]
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_word_is_defined_before_it_is_used(path):
    """That the entries which it links are there, test_glossary.py holds."""
    assert not all_breaches()[path.stem]


GPU = Word("GPU", r"GPUs?")


@pytest.mark.parametrize(
    ("prose", "fault"),
    [
        ("A [**GPU**](../glossary.qmd#gpu) is a processor.\n\nTake a GPU.", ""),
        ("Take a GPU.\n\nA [**GPU**](../glossary.qmd#gpu) is a processor.", "isn't defined"),
        ("A **GPU** is a processor.", "isn't defined"),
        ("A [GPU](../glossary.qmd#gpu) is a processor.", "isn't defined"),
        ("Your `GPU`:\n\n```\nGPU\n```\n\n![A GPU.](a.svg)\n\nBuy *[GPUs](../glossary.qmd#gpu)*.", ""),
        ("## The GPU\n\nSlow?\n\nBuy a [*GPU*](../glossary.qmd#gpu).\n\n## GPUs", ""),
        ("## The GPU\n\nBuy a GPU.", "below the heading ## The GPU"),
        ("After it you can:\n\n- use a GPU.\n\nA [**GPU**](../glossary.qmd#gpu) is fast.", "an objective"),
        ("After it you can:\n\n- use a *GPU*, a fast processor.\n\nA [**GPU**](../glossary.qmd#gpu) is fast.", ""),
        ("After it you can:\n\n- use what is fast (a GPU).\n\nA [**GPU**](../glossary.qmd#gpu) is fast.", ""),
        ("After it you can:\n\n- use a GPU, a fast one.\n\nA GPU is fast.", "isn't defined"),
    ],
)
def test_the_rule_finds_what_it_forbids_and_nothing_else(monkeypatch, prose, fault):
    monkeypatch.setattr("test_words.WORDS", [GPU])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose)])
    found = breaches(1, list(paragraphs(notebook, [])), set())
    assert (fault in found[0] and len(found) == 1) if fault else not found
