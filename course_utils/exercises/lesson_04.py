"""The checks of lesson 4: greedy pieces, pieces to text, keeping the end, one step of BPE, batches within a budget."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from course_utils.exercises import WrongAnswerError, checker, need_function

VOCABULARY = {"un", "unw", "##want", "##ant", "##ed", "##e", "##d", "##a", "##n", "##t", "##w"}
CLS, SEP = 101, 102


@checker
def check_pieces(pieces: list[str]) -> str:
    """Exercise 1: into which pieces WordPiece cuts `unwanted`, given a small vocabulary."""
    if isinstance(pieces, str):
        raise WrongAnswerError('Answer with a list of pieces, such as ["a", "##b"], not with one text.')
    if not isinstance(pieces, (list, tuple)) or not all(isinstance(piece, str) for piece in pieces):
        raise WrongAnswerError(f'Answer with a list of texts, such as ["a", "##b"]. This is {pieces!r:.60}.')
    pieces = list(pieces)
    right = _cut("unwanted")
    if pieces == right:
        return (
            "Greedy took unw, the longest beginning, and had to make do with ##ant. No one asked what the word means."
        )
    if pieces == ["un", "##want", "##ed"]:
        raise WrongAnswerError(
            "A person would cut it like that. WordPiece takes the longest entry that the word begins with. Is it un?"
        )
    if pieces == ["[UNK]"]:
        raise WrongAnswerError(
            "The word can be cut: each step finds an entry. [UNK] comes only when a step finds none."
        )
    bare = [piece.removeprefix("##") for piece in pieces]
    if pieces and bare == [piece.removeprefix("##") for piece in right]:
        raise WrongAnswerError("The cuts are right, the marks are not: every piece but the first begins with ##.")
    if "".join(bare) != "unwanted":
        raise WrongAnswerError(
            "Put together, without their ##, your pieces should give unwanted. No letter may be lost."
        )
    if unknown := [piece for piece in pieces if piece not in VOCABULARY]:
        raise WrongAnswerError(f"{unknown[0]!r:.40} is not in the vocabulary. Only its entries can be pieces.")
    raise WrongAnswerError(
        "Those are entries, but somewhere a longer one would have fitted. Try the longest first, at each step."
    )


def _cut(word: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        end = next(end for end in range(len(word), start, -1) if mark + word[start:end] in VOCABULARY)
        pieces.append(mark + word[start:end])
        start = end
    return pieces


@checker
def check_join_pieces(join_pieces: Callable[[list[str]], str]) -> str:
    """Exercise 2: `join_pieces(pieces)` makes a text of tokens."""
    need_function(join_pieces, "join_pieces")
    cases: list[tuple[list[str], str]] = [
        (["hugging", "##face", "is", "fun"], "huggingface is fun"),
        (["una", "##ffa", "##ble"], "unaffable"),
        (["i", "like", "c", "#", "and", "f", "#"], "i like c # and f #"),
        (["fun"], "fun"),
        ([], ""),
        *[_split_at_random(seed) for seed in range(5)],
    ]
    for pieces, expected in cases:
        given = list(pieces)
        found = join_pieces(given)
        if found is None:
            raise WrongAnswerError("join_pieces returned None. Does it end in a return?")
        if isinstance(found, (list, tuple)):
            raise WrongAnswerError('You return the words in a list. " ".join(...) makes one text of them.')
        if not isinstance(found, str):
            raise WrongAnswerError(f"Return a text. Yours returned {found!r:.60}.")
        if given != pieces:
            raise WrongAnswerError("Your function changed the list that it was given. Build a new one.")
        if found == expected:
            continue
        if found == " ".join(pieces):
            raise WrongAnswerError(
                f"The ## are still there: {found!r:.60}. A piece with ## goes on with the last word."
            )
        if found == "".join(piece.removeprefix("##") for piece in pieces):
            raise WrongAnswerError(f"There is no space between the words: {found!r:.60}.")
        if found == " ".join(piece.removeprefix("##") for piece in pieces):
            raise WrongAnswerError(
                "The ## are gone, but the piece should go on with the word before it, without a space."
            )
        if found.strip() == expected:
            raise WrongAnswerError("There is a space too many at the beginning or at the end.")
        if "#" in expected and "#" not in found:
            raise WrongAnswerError(
                "A # that is a token of its own was lost. Only a ## at the beginning of a piece is a mark."
            )
        raise WrongAnswerError(f"{pieces!r:.80} should give {expected!r:.60}; yours gave {found!r:.60}.")
    return "Text to pieces and back. What normalizing took away, capitals and accents, no one can bring back."


def _split_at_random(seed: int) -> tuple[list[str], str]:
    """Return words cut at random places, and the text that they make."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(1, 8))) for _ in range(rng.randint(2, 6))]
    pieces: list[str] = []
    for word in words:
        cut = rng.randint(1, len(word))
        pieces += [word[:cut], *[f"##{letter}" for letter in word[cut:]]]
    return pieces, " ".join(words)


@checker
def check_keep_the_end(keep_the_end: Callable[[list[int], int], list[int]]) -> str:
    """Exercise 3: `keep_the_end(input_ids, max_length)` keeps the special tokens and the end of the text."""
    need_function(keep_the_end, "keep_the_end")
    for length, limit in [(10, 6), (6, 6), (4, 6), (2, 2), (30, 29), (600, 512), (9, 3), (10, 2)]:
        text = list(range(2000, 2000 + length - 2))
        given = [CLS, *text, SEP]
        found = keep_the_end(given, limit)
        if given != [CLS, *text, SEP]:
            raise WrongAnswerError("Your function changed the list that it was given. Build a new one.")
        if hasattr(found, "tolist"):
            found = found.tolist()
        if found is None:
            raise WrongAnswerError("keep_the_end returned None. Does every path end in a return?")
        if not isinstance(found, (list, tuple)):
            raise WrongAnswerError(f"Return a list of ids. Yours returned {found!r:.60}.")
        found = list(found)
        expected = given if length <= limit else [CLS, *given[1 - limit :]]
        if found == expected:
            continue
        case = f"For {length} ids and max_length={limit}"
        if length <= limit:
            raise WrongAnswerError(
                f"{case} nothing has to be cut: return the ids as they are. Yours gave {found!r:.60}."
            )
        if found == given[:limit]:
            raise WrongAnswerError(
                "That is the beginning, and its [SEP] is lost. The task asks for the end of the text."
            )
        if found == [*given[: limit - 1], SEP]:
            raise WrongAnswerError(
                "The special tokens are right, but you kept the beginning. Keep the last ids of the text."
            )
        if found == given[-limit:]:
            raise WrongAnswerError(
                "The end is there, but the first id should be that of [CLS]: the model reads off its place."
            )
        if len(found) > limit:
            raise WrongAnswerError(
                f"{case} yours has {len(found)} ids. The special tokens count, too; and x[-0:] is the whole list."
            )
        if len(found) < limit:
            raise WrongAnswerError(f"{case} there is room for {limit}, and yours has {len(found)}.")
        if found[-1] != SEP:
            raise WrongAnswerError("The last id should be 102, that of [SEP].")
        raise WrongAnswerError(f"{case} the result should be {expected!r:.60}; yours is {found!r:.60}.")
    return "The verdict at the end is safe, and both special tokens are where the model expects them."


Words = dict[tuple[str, ...], int]
"""Words as tuples of pieces, and how often each was seen."""


@checker
def check_bpe_step(bpe_step: Callable[[Words], Words]) -> str:
    """Exercise 4: `bpe_step(words)` merges the most frequent pair of neighbours."""
    need_function(bpe_step, "bpe_step")
    cases: list[Words] = [
        {("f", "u", "n"): 10, ("r", "u", "n"): 5},
        # Seldom in many words, often in one: what counts is how often a word was seen.
        {("a", "b", "x"): 1, ("a", "b", "y"): 1, ("a", "b", "z"): 1, ("c", "d"): 9},
        {("o", "n", "o", "n"): 3, ("n", "o"): 4, ("t", "o"): 1},
        {("f", "un"): 10, ("r", "un"): 5, ("s", "un"): 2},
        {("a", "a", "a"): 2, ("b", "a"): 3},
        {("fun",): 3, ("run",): 2},
        {},
    ]
    for words in cases:
        given = dict(words)
        found = bpe_step(given)
        if given != words:
            raise WrongAnswerError("Your function changed the dictionary that it was given. Build a new one.")
        if found is None:
            raise WrongAnswerError("bpe_step returned None. Does every path end in a return?")
        if not isinstance(found, dict):
            raise WrongAnswerError(f"Return a dictionary from words to how often they were seen, not {found!r:.60}.")
        expected = _step(words)
        if found == expected:
            continue
        if found == words:
            raise WrongAnswerError("Nothing was merged. The most frequent pair should be one piece now.")
        if not all(isinstance(pieces, tuple) and all(isinstance(p, str) for p in pieces) for pieces in found):
            raise WrongAnswerError("The words of the result should be tuples of pieces, as in what you were given.")
        if found == _step(words, weighted=False):
            raise WrongAnswerError(
                "You counted each word once. A pair counts as often as its word was seen: add the number, not 1."
            )
        if sorted(map("".join, found)) != sorted(map("".join, words)):
            raise WrongAnswerError(f"Letters or words were lost or doubled: {words!r:.70} became {found!r:.70}.")
        if found.keys() == expected.keys():
            raise WrongAnswerError("How often a word was seen must not change.")
        raise WrongAnswerError(f"{words!r:.90} should become {expected!r:.90}; yours became {found!r:.90}.")
    return "One step of the trainer. Thousands of those, and you have a vocabulary."


def _step(words: Words, *, weighted: bool = True) -> Words:
    counts: Counter[tuple[str, str]] = Counter()
    for pieces, times in words.items():
        for pair in pairwise(pieces):
            counts[pair] += times if weighted else 1
    if not counts:
        return dict(words)
    best = max(counts, key=counts.__getitem__)
    return {tuple(_merge(pieces, best)): times for pieces, times in words.items()}


def _merge(pieces: tuple[str, ...], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    place = 0
    while place < len(pieces):
        if tuple(pieces[place : place + 2]) == pair:
            merged.append("".join(pair))
            place += 2
        else:
            merged.append(pieces[place])
            place += 1
    return merged


@checker
def check_fill_batches(fill_batches: Callable[[list[int], int], list[list[int]]]) -> str:
    """Exercise 5: `fill_batches(lengths, max_tokens)` makes batches by length within a budget."""
    need_function(fill_batches, "fill_batches")
    rng = random.Random(0)
    cases: list[tuple[list[int], int]]
    cases = [([3, 30, 3, 9, 4], 12), ([5, 5, 5, 5], 10), ([7], 3), ([40, 2, 3], 8), ([], 10)]
    cases += [([rng.randint(1, 60) for _ in range(40)], rng.choice([64, 100, 256])) for _ in range(4)]
    for lengths, budget in cases:
        given = list(lengths)
        found = fill_batches(given, budget)
        if given != lengths:
            raise WrongAnswerError(
                "Your function changed the list of lengths: sorted() makes a new one, .sort() doesn't."
            )
        _check_batches(_as_batches(found), lengths, budget)
    return "Little padding, and every batch takes about the same memory. Lesson 6 trains with such batches."


def _as_batches(found: Any) -> list[list[int]]:
    if found is None:
        raise WrongAnswerError("fill_batches returned None. Does it end in a return?")
    if not isinstance(found, (list, tuple)) or not all(isinstance(batch, (list, tuple)) for batch in found):
        raise WrongAnswerError(f"Return a list of batches, each a list of places. Yours returned {found!r:.60}.")
    batches = [list(batch) for batch in found]
    for place in (place for batch in batches for place in batch):
        if isinstance(place, bool) or not isinstance(place, int):
            raise WrongAnswerError(f"A place is a whole number; one of yours is {place!r:.40}.")
    return batches


def _check_batches(batches: list[list[int]], lengths: list[int], budget: int) -> None:
    case = f"For the lengths {lengths!r:.60} and a budget of {budget}"
    places = [place for batch in batches for place in batch]
    if lengths and not places:
        raise WrongAnswerError(f"{case} your batches are empty. Was the last batch put into the list?")
    if [] in batches:
        raise WrongAnswerError("There is an empty batch. The first batch is opened by the first text.")
    if sorted(places) != list(range(len(lengths))):
        if sorted(places) == sorted(lengths):
            raise WrongAnswerError(
                "Those are the lengths. A batch lists the places of its texts: 0 for the first, and so on."
            )
        missing = sorted(set(range(len(lengths))) - set(places))
        if missing:
            raise WrongAnswerError(
                f"{case} the text at place {missing[0]} is in no batch. Is the last batch lost, or one over the budget?"
            )
        raise WrongAnswerError(f"{case} each place should be in exactly one batch; yours are {batches!r:.80}.")
    for batch in batches:
        needed = len(batch) * max(lengths[place] for place in batch)
        if len(batch) > 1 and needed > budget:
            raise WrongAnswerError(
                f"{case} the batch {batch!r:.40} takes {needed} places: its number of texts times its longest. "
                "The short ones are filled up, so their own lengths don't count."
            )
    order = [lengths[place] for place in places]
    if order != sorted(lengths):
        raise WrongAnswerError(f"{case} the texts don't come from the shortest to the longest.")
    for batch, following in pairwise(batches):
        if (len(batch) + 1) * lengths[following[0]] <= budget:
            raise WrongAnswerError(
                f"{case} the text at place {following[0]} would have fitted into the batch before it. "
                "A batch may use the whole budget: at most, not less than."
            )
