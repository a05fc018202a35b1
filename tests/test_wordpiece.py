"""Lesson 4's tokenizer, as the notebook defines it, against the library: on every text we have and every character.

The library's normalizer and Python have tables of Unicode of different age; `unicode_categories` closes the gap.
A lone surrogate is no character, and the library takes no text that has one: that is the one thing left out.
"""

import ast
import sys
import unicodedata

import nbformat
import pytest
from conftest import NOTEBOOKS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import DistilBertTokenizer

from course_utils import batch_by_length, padding_share, reviews
from course_utils.text import unicode_categories

WANTED = {"model_name", "vocabulary", "ids", "CHINESE", "SPECIAL"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SURROGATES = range(0xD800, 0xE000)
CHARACTERS = [chr(point) for point in range(sys.maxunicode + 1) if point not in SURROGATES]

HOSTILE = [
    "",
    " ",
    " \t\r\n\x0b\x0c\u00a0\u2028\u3000 ",
    "\x00\x01\x1c\x1d\x1e\x1f\x7f\x85\ufffd",
    "a\x1cb\x85c\u2028d\u200be\u00adf\ufeffg",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇮 ❤️ 1️⃣",
    "e\u0301e\u0300\u0323\u0323\u0300 n\u0303 \u0301alone \u0345",
    "Ａｆｕｌｌｗｉｄｔｈ，ｔｅｘｔ！ ﬁ ﬃ ß ẞ ŉ ǰ",
    "ΌΔΥΣΣΕΥΣ ΣΑΣ İstanbul ISPARTA ı Ǆ ǅ ǆ",
    "这部电影太棒了 映画は長い 영화가 길다 한글 ㄱㄴㄷ",
    "फ़िल्म बहुत लंबी थी। ภาพยนตร์ ফিল্ম தமிழ் فیلم שלום",
    "\u202eright to left\u202c \u061c \u2066x\u2069",
    "[CLS] a[SEP]b [MASK][MASK] [mask] [ SEP ] [UNK]able [PAD [SEP]] [[CLS]",
    "##ing # ## ### a##b [unused1] [unused99]",
    "a" * 100 + " " + "b" * 101 + " " + "c" * 5000,
    "é" * 100 + " " + "e\u0301" * 101,
    "\u0301" * 300,
    "word " * 10_000,
    "x" * 10_000,
    ",." * 5_000,
    "I'd've don't — “quoted” … $5+5=10 ^_^ <3 `code` ~|~ €£¥ ©™",
    "\ue000 \U000f0000 \U0010ffff \ufdd0 \u0378 \U000e0001 \U0001f9ff",
    "\u1734 \u166d \U000111c9 \u0c3c a\u0898b \u2e52",
]


@pytest.fixture(scope="module")
def lesson() -> dict:
    """What the notebook's own cells define, of all that the tokenizer and the counting of padding need."""
    namespace = {}
    for cell in nbformat.read(NOTEBOOKS / "04_tokenizers.ipynb", as_version=4).cells:
        if cell.cell_type != "code" or "exercise" in cell.metadata or cell.source.startswith("#| classes"):
            continue
        for node in ast.parse(cell.source).body:
            named = isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} <= WANTED
            plain = isinstance(node, ast.FunctionDef) and "torch" not in "".join(map(ast.unparse, node.decorator_list))
            if named or plain or isinstance(node, ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([node], []), "lesson 4", "exec"), namespace)
    return namespace


@pytest.fixture(scope="module")
def library(reviews_checkpoint):
    return DistilBertTokenizer.from_pretrained(reviews_checkpoint)


def assert_same_ids(lesson, library, texts: list[str]) -> None:
    for text, expected in zip(texts, library(texts)["input_ids"], strict=True):
        assert lesson["encode"](text) == expected, repr(text[:80])


def test_every_text_of_the_data_set_gets_the_librarys_ids(lesson, library):
    texts = reviews.load(None, reviews.SOURCES)["text"].tolist()
    assert len(texts) > 23_000
    assert_same_ids(lesson, library, texts)


def test_hostile_texts_get_the_librarys_ids(lesson, library):
    assert_same_ids(lesson, library, HOSTILE)


def test_every_assigned_character_gets_the_librarys_ids(lesson, library):
    """Each one alone and inside a word, where a mark, a sign and a hidden character all do different things.

    Of the 800,000 code points that are unassigned or for private use, all alike, one in fifty is tried.
    """
    others = [char for char in CHARACTERS if unicodedata.category(char) in {"Cn", "Co"}]
    tried = sorted({*CHARACTERS} - {*others}) + others[::50]
    texts = [" ".join(f"{c} a{c}b" for c in tried[start : start + 500]) for start in range(0, len(tried), 500)]
    assert_same_ids(lesson, library, texts)


PART = st.one_of(
    st.text(max_size=20),
    st.text(st.sampled_from("aeiouAEÉİΣß\u0301\u0323\u0345\u200d\ufe0f .,'#[]中\t\x00\ufffd👍"), max_size=20),
    st.sampled_from([*SPECIAL, "##", "unaffable", "[mask]", "a" * 99, "한국", "e\u0301" * 51]),
    st.text(st.sampled_from(sorted(map(chr, unicode_categories.changed()))), max_size=4),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PART, max_size=8).map("".join))
@example("a\u0301[SEP]\u0301b")
def test_any_text_gets_the_librarys_ids(lesson, library, text):
    assert lesson["encode"](text) == library(text)["input_ids"]


def test_the_tokenizer_is_as_short_as_the_lesson_says():
    notebook = nbformat.read(NOTEBOOKS / "04_tokenizers.ipynb", as_version=4)
    functions = {"clean", "normalize", "split_words", "split_word", "tokenize", "encode"}
    lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and "exercise" not in cell.metadata and not cell.source.startswith("#|"):
            for node in ast.parse(cell.source).body:
                table = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"ids", "CHINESE", "SPECIAL"}
                if table or (isinstance(node, ast.FunctionDef) and node.name in functions):
                    functions -= {getattr(node, "name", "")}
                    lines += node.end_lineno - node.lineno + 1
    assert not functions
    assert lines < 60


def test_the_lessons_padding_is_the_packages(lesson):
    lengths = [7, 9, 3, 12, 40, 5, 5, 23]
    lesson["lengths"] = lengths
    for batches in (lesson["cut"](list(range(8)), 3), batch_by_length(lengths, 40)):
        assert lesson["padding_share"](batches) == pytest.approx(padding_share(batches, lengths))


def test_categories_are_the_librarys_for_every_character():
    """Asked of the library for each character between two letters, which nothing joins: what it removes, what it takes
    for a mark, and for punctuation."""
    clean = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    strip = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    split = BertPreTokenizer()
    tried = [char for char in CHARACTERS if char != "|"]
    for start in range(0, len(tried), 10_000):
        some = tried[start : start + 10_000]
        cleaned, stripped = (each.normalize_str("|".join(some)).split("|") for each in (clean, strip))
        parted = {span[0] for part, span in split.pre_tokenize_str("b".join(some)) if len(part) == 1}
        for place, (char, kept, bare) in enumerate(zip(some, cleaned, stripped, strict=True)):
            category = unicode_categories.category(char)
            if char not in "\t\n\r\ufffd":
                assert (kept == "") == (category in {"Cc", "Cf", "Co"}), hex(ord(char))
            assert (bare == "") == (category == "Mn"), hex(ord(char))
            if ord(char) > 127 and not char.isspace():
                assert (2 * place in parted) == category.startswith("P"), hex(ord(char))
    assert unicode_categories.category("|") == "Sm"


def test_only_what_matters_to_a_tokenizer_is_changed():
    changed = unicode_categories.changed()
    assert set(changed.values()) == {"Cn", "Mn", "Po"}
    assert len(changed) < 600
    untouched = (char for char in CHARACTERS if ord(char) not in changed)
    assert all(unicode_categories.category(char) == unicodedata.category(char) for char in untouched)


@pytest.mark.parametrize("wrong", ["", "ab", None, 97, b"a"])
def test_a_category_belongs_to_one_character(wrong):
    with pytest.raises(TypeError, match="one character"):
        unicode_categories.category(wrong)
