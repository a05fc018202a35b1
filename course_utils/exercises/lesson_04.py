"""The checks of lesson 4: greedy pieces, pieces to text, keeping the end, one step of BPE, batches within a budget."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from course_utils.exercises import WrongAnswerError, checker
from course_utils.exercises.answers import entries, mapping, places, text, texts
from course_utils.exercises.cases import run_cases, shown

VOCABULARY = {"un", "unw", "##want", "##ant", "##ed", "##e", "##d", "##a", "##n", "##t", "##w"}
CLS, SEP = 101, 102


@checker
def check_pieces(pieces: list[str]) -> str:
    """Exercise 1: into which pieces WordPiece cuts `unwanted`, given a small vocabulary."""
    found = texts(pieces, "pieces", 'a list of texts, such as ["a", "##b"]')
    right = ["unw", "##ant", "##ed"]
    if found == right:
        return (
            "Greedy took unw, the longest beginning, and had to make do with ##ant. No one asked what the word means."
        )
    if found == ["un", "##want", "##ed"]:
        raise WrongAnswerError(
            "A person would cut it like that. WordPiece takes the longest entry that the word begins with. Is it un?"
        )
    if found == ["[UNK]"]:
        raise WrongAnswerError(
            "The word can be cut: each step finds an entry. [UNK] comes only when a step finds none."
        )
    bare = [piece.removeprefix("##") for piece in found]
    if bare == [piece.removeprefix("##") for piece in right]:
        raise WrongAnswerError("The cuts are right, the marks are not: every piece but the first begins with ##.")
    if "".join(bare) != "unwanted":
        raise WrongAnswerError(
            f"Put together, without their ##, your pieces give {''.join(bare)!r:.40}. They should give 'unwanted'."
        )
    if unknown := [piece for piece in found if piece not in VOCABULARY]:
        raise WrongAnswerError(f"{unknown[0]!r:.40} is not in the vocabulary. Only its entries can be pieces.")
    raise WrongAnswerError(
        "Those are entries, but somewhere a longer one would have fitted. Try the longest first, at each step."
    )


@checker
def check_join_pieces(join_pieces: Callable[[list[str]], str]) -> str:
    """Exercise 2: `join_pieces(pieces)` makes a text of tokens."""
    cases: list[list[str]] = [
        ["hugging", "##face", "is", "fun"],
        ["una", "##ffa", "##ble"],
        ["i", "like", "c", "#", "and", "f", "#"],
        ["#", "1", "in", "c", "###", ",", "##s"],  # ### is the mark, and a # that goes on with a word
        ["no", "##no", "no", "no", "##no"],
        ["An", "##NA", "flew"],  # not every tokenizer makes letters small
        ["fun"],
        [],
        *map(_cut_at_random, range(5)),
    ]
    run_cases(
        join_pieces,
        "join_pieces",
        [(pieces,) for pieces in cases],
        _joined,
        read=_one_text,
        mistakes={
            "The ## are still there. A piece with ## goes on with the last word.": " ".join,
            "There is no space between the words: all pieces are glued together.": (
                lambda pieces: "".join(piece.removeprefix("##") for piece in pieces)
            ),
            "The ## are gone, but the piece should go on with the word before it, without a space.": (
                lambda pieces: " ".join(piece.removeprefix("##") for piece in pieces)
            ),
        },
        signs={
            "There is a space too many at the beginning or at the end.": (
                lambda found, expected: found.strip(" ") == expected
            ),
            "A # that is a token of its own was lost. Only a ## at the beginning of a piece is a mark.": (
                lambda found, expected: found.split() == expected.replace("#", "").split()
            ),
        },
    )
    return "Text to pieces and back. What normalizing took away, capitals and accents, no one can bring back."


def _one_text(found: Any, call: str) -> str:
    if isinstance(found, (list, tuple)) and found and all(isinstance(word, str) for word in found):
        raise WrongAnswerError('You return the words in a list. " ".join(...) makes one text of them.')
    return text(found, call, "such as 'so much fun'")


def _joined(pieces: list[str]) -> str:
    return "".join(piece[2:] if piece.startswith("##") else f" {piece}" for piece in pieces)[1:]


def _cut_at_random(seed: int) -> list[str]:
    """Return the pieces of some words, each cut at random places."""
    rng = random.Random(seed)
    pieces: list[str] = []
    for _ in range(rng.randint(2, 6)):
        word = rng.choices("abcdefgh", k=rng.randint(1, 8))
        cut = rng.randint(1, len(word))
        pieces += ["".join(word[:cut]), *[f"##{letter}" for letter in word[cut:]]]
    return pieces


@checker
def check_keep_the_end(keep_the_end: Callable[[list[int], int], list[int]]) -> str:
    """Exercise 3: `keep_the_end(input_ids, max_length)` keeps the special tokens and the end of the text."""

    def ids(length: int) -> list[int]:
        return [CLS, *range(2000, 1998 + length), SEP]

    sizes = [(10, 6), (6, 6), (4, 6), (7, 6), (2, 2), (9, 3), (10, 2), (3, 2), (30, 29), (600, 512)]
    named = [
        CLS,
        7,
        8,
        SEP,
        CLS,
        9,
        SEP,
        5,
        7,
        SEP,
    ]  # a text may name special tokens: [SEP] stands in it letter for letter
    run_cases(
        keep_the_end,
        "keep_the_end",
        [*((ids(length), limit) for length, limit in sizes), (named, 9), (named, 5), (named, 10)],
        _end_kept,
        read=places,
        mistakes={
            "That is the beginning, and its [SEP] is lost. The task asks for the end of the text.": (
                lambda given, limit: given[:limit]
            ),
            "The special tokens are right, but you kept the beginning. Keep the last ids of the text.": (
                lambda given, limit: given if len(given) <= limit else [*given[: limit - 1], given[-1]]
            ),
            "The end is there, but the first id should be that of [CLS]: the model reads off its place.": (
                lambda given, limit: given[-limit:]
            ),
            "You kept max_length ids of the text, and the special tokens came on top. They count, too.": (
                lambda given, limit: [given[0], *given[1:-1][-limit:], given[-1]]
            ),
            "With max_length=2 the whole text stays: x[-0:] is not the last 0 ids, it is all of x.": (
                lambda given, limit: (
                    given if len(given) <= limit else [given[0], *given[1:-1][-(limit - 2) :], given[-1]]
                )
            ),
            "You keep one id too few: the last max_length - 2 ids have the [SEP] with them.": (
                lambda given, limit: given if len(given) <= limit else [given[0], *given[-(limit - 2) :]]
            ),
        },
    )
    return "The verdict at the end is safe, and both special tokens are where the model expects them."


def _end_kept(input_ids: list[int], max_length: int) -> list[int]:
    surplus = max(0, len(input_ids) - max_length)
    return [input_ids[0], *input_ids[1 + surplus :]]


Words = Mapping[tuple[str, ...], int]
"""Words as tuples of pieces, and how often each was seen."""


@checker
def check_bpe_step(bpe_step: Callable[[Words], Words]) -> str:
    """Exercise 4: `bpe_step(words)` merges the most frequent pair of neighbours."""
    cases: list[Words] = [
        {("f", "u", "n"): 10, ("r", "u", "n"): 5},
        {("b", "a", "n", "a", "n", "a"): 2, ("a", "n"): 1, ("b", "a", "r"): 1},  # the pair stands twice in a word
        # Seldom in many words, often in one: what counts is how often a word was seen.
        {("a", "b", "x"): 1, ("a", "b", "y"): 1, ("a", "b", "z"): 1, ("c", "d"): 9},
        {("a", "x"): 3, ("b", "c", "d"): 2, ("a", "b", "c"): 2, ("x",): 9},  # often in all, seldom in any one word
        {("un", "o"): 3, ("n", "o"): 4, ("n", "ot"): 2},  # n and o stand side by side in three, the pair in one
        {("o", "n", "o", "n"): 3, ("n", "o"): 4, ("t", "o"): 1},
        {("f", "un"): 10, ("r", "un"): 11, ("s", "un"): 2},
        {("a", "a", "a"): 2, ("b", "a"): 3},
        {("a", "a", "a", "a"): 2, ("a", "a", "a"): 1},
        {("t", "h", "e"): 5, ("e", "h", "t"): 3, ("h", "t"): 1},  # the other way round is another pair
        {("fun",): 3, ("run",): 2},
        {},
    ]
    run_cases(
        bpe_step,
        "bpe_step",
        [(words,) for words in cases],
        _step,
        read=_words,
        mistakes={
            "Nothing was merged. The most frequent pair should be one piece now.": dict,
            "You counted each word once. A pair counts as often as its word was seen: add the number, not 1.": (
                lambda words: _merged(words, _best(dict.fromkeys(words, 1)))
            ),
            "Only the first such pair in a word was merged. In banana the pair a n stands twice.": (
                lambda words: _merged(words, _best(words), most=1)
            ),
            'You search a text of pieces and spaces: in "un o" that finds "n o", but un is another piece than n.': (
                _step_in_text
            ),
        },
        signs={
            "The pair is merged, but the numbers are others. How often a word was seen must not change.": (
                lambda found, expected: found.keys() == expected.keys()
            )
        },
    )
    return "One step of the trainer. Thousands of those, and you have a vocabulary."


def _words(found: Any, call: str) -> dict[tuple[str, ...], int]:
    words = mapping(found, call, "a dictionary from words to how often they were seen")
    for word in words:
        if not isinstance(word, tuple) or not all(isinstance(piece, str) for piece in word):
            raise WrongAnswerError(
                f"The words should stay tuples of pieces, as in what you were given. In yours stands {shown(word)}."
            )
    return words


def _step(words: Words) -> Words:
    return _merged(words, _best(words))


def _best(words: Words) -> tuple[str, str] | None:
    counts: Counter[tuple[str, str]] = Counter()
    for pieces, times in words.items():
        for pair in pairwise(pieces):
            counts[pair] += times
    return max(counts, key=counts.__getitem__) if counts else None


def _merged(words: Words, pair: tuple[str, str] | None, most: int | None = None) -> Words:
    """Return the words with a pair merged, in each of them at most `most` times."""
    found: dict[tuple[str, ...], int] = {}
    for pieces, times in words.items():
        rest, left = list(pieces), most
        merged: list[str] = []
        while rest:
            if tuple(rest[:2]) == pair and left != 0:
                rest[:2] = ["".join(rest[:2])]
                left = None if left is None else left - 1
            merged.append(rest.pop(0))
        found[tuple(merged)] = times
    return found


def _step_in_text(words: Words) -> Words:
    pair = _best(words)
    if not pair:
        return words
    return {
        tuple(" ".join(pieces).replace(" ".join(pair), "".join(pair)).split(" ")): times
        for pieces, times in words.items()
    }


@dataclass(frozen=True)
class Batches:
    """Batches of places. Texts of the same length may change places."""

    batches: list[list[int]]
    lengths: list[int]

    def are(self, found: list[list[int]]) -> bool:
        """Tell whether the same lengths stand in the same order, and no place twice."""
        every = [place for batch in found for place in batch]
        if len(set(every)) < len(every) or not set(every) <= set(range(len(self.lengths))):
            return False
        return self._lengths(found) == self._lengths(self.batches)

    def _lengths(self, batches: list[list[int]]) -> list[list[int]]:
        return [[self.lengths[place] for place in batch] for batch in batches]


def _fill(lengths: list[int], fits: Callable[[list[int]], bool], *, longest_first: bool = False) -> list[list[int]]:
    """Make batches in the order of length: one that `fits`, by the lengths in it, goes on."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place], reverse=longest_first):
        if batches and fits([lengths[other] for other in [*batches[-1], place]]):
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


@checker
def check_fill_batches(fill_batches: Callable[[list[int], int], list[list[int]]]) -> str:
    """Exercise 5: `fill_batches(lengths, max_tokens)` makes batches by length within a budget."""
    rng = random.Random(0)
    cases: list[tuple[list[int], int]] = [
        ([3, 30, 4, 9, 5], 12),
        ([5, 5, 5, 5], 10),
        ([5, 6], 11),
        ([40, 2, 3], 8),
        ([50, 40, 2], 10),
        ([7], 3),
        ([7], 7),
        ([], 10),
    ]
    cases += [([rng.randint(1, 60) for _ in range(40)], budget) for budget in (64, 100, 256, 3000, 1)]

    def by(
        fits: Callable[[list[int], int], bool], *, longest_first: bool = False, kept: slice = slice(None)
    ) -> Callable[[list[int], int], Batches]:
        return lambda lengths, budget: Batches(
            _fill(lengths, lambda batch: fits(batch, budget), longest_first=longest_first)[kept], lengths
        )

    def within(batch: list[int], budget: int) -> bool:
        return len(batch) * max(batch) <= budget

    run_cases(
        fill_batches,
        "fill_batches",
        cases,
        by(within),
        read=_as_batches,
        same=lambda found, expected: expected.are(found),
        write=lambda found: shown(found.batches if isinstance(found, Batches) else found, 160),
        mistakes={
            "You add up the texts' own lengths. A batch takes its number of texts times its longest: the short "
            "ones are filled up.": by(lambda batch, budget: sum(batch) <= budget),
            "Each text has a batch of its own. Many would have fitted into the one before.": by(lambda *_: False),
            "A text that fills the budget to the last place would have fitted, too: at most, not less than.": (
                by(lambda batch, budget: len(batch) * max(batch) < budget)
            ),
            "The last batch is lost. Was it put into the list, after the loop?": by(within, kept=slice(-1)),
            "You begin with the longest text. Take them from the shortest on.": by(within, longest_first=True),
        },
        signs={
            "Those are the lengths. A batch lists the places of its texts: 0 for the first, and so on.": (
                lambda found, expected: sorted(chain(*found)) == sorted(expected.lengths)
            ),
            "You take the texts as they come. The task takes them from the shortest to the longest.": (
                lambda found, expected: list(chain(*found)) == list(range(len(expected.lengths)))
            ),
        },
    )
    return "Little padding, and every batch takes about the same memory. Lesson 6 trains with such batches."


def _as_batches(found: Any, call: str) -> list[list[int]]:
    batches = [
        places(batch, f"batch {number} of {call}", "a list of places, such as [0, 2]")
        for number, batch in enumerate(entries(found, call, "a list of batches, such as [[0, 2], [1]]"))
    ]
    if [] in batches:
        raise WrongAnswerError(f"There is an empty batch in {shown(batches)}. A batch is opened by its first text.")
    return batches
