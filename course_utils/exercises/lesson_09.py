"""The checks of lesson 9's exercises."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from course_utils.exercises import WrongAnswerError, answers, checker, need_function
from course_utils.exercises.cases import run_cases

if TYPE_CHECKING:
    import torch

PROBABILITIES, P = (0.5, 0.2, 0.15, 0.1, 0.05), 0.8


@checker
def check_kept(kept: int) -> str:
    """Exercise 1: how many of five tokens top-p keeps."""
    found = answers.number(kept, "kept", 4)
    if any(math.isclose(found, value) for value in (P, *PROBABILITIES, 0.7, 0.85, 0.95)):
        raise WrongAnswerError("That is a probability. The question is how many tokens stay.")
    count = answers.whole(kept, "kept", 4)
    if count == 2:
        raise WrongAnswerError("0.5 and 0.2 are 0.7. What is kept has to reach 0.8.")
    if count == 1:
        raise WrongAnswerError("The likeliest alone has 0.5. Go on until the sum reaches 0.8.")
    if count == 4:
        raise WrongAnswerError("Four have 0.95 together. Would fewer be enough to reach 0.8?")
    if count == 5:
        raise WrongAnswerError("All five would be p = 1. The last ones are the tail that top-p cuts off.")
    if count == 0:
        raise WrongAnswerError("The likeliest token always stays: something has to be said.")
    if count != 3:
        raise WrongAnswerError(
            f"There are five tokens, and {count} can't stay. Add up 0.5, 0.2, 0.15, ... and count how many reach 0.8."
        )
    return "0.85 is the first sum that reaches 0.8. The kept three then share out the whole."


TEXTS = (
    [0.5, 0.5, 0.5],
    [0.9, 0.1],
    [0.02, 0.3, 0.7, 0.25, 1.0, 0.3],
    [0.125],
    [1.0, 1.0],
    [0.1, 0.2] * 1000,
)
"""Probabilities of the tokens of some texts: with repeated ones, a single one, certain ones, and a long text."""


def _surprises(probabilities: list[float]) -> list[float]:
    return [-math.log(p) for p in probabilities]


def _perplexity(probabilities: list[float]) -> float:
    return math.exp(statistics.fmean(_surprises(probabilities)))


PERPLEXITY_MISTAKES: Mapping[str, Callable[[list[float]], float]] = {
    "That is the mean surprise. Perplexity is its exponential.": lambda ps: statistics.fmean(_surprises(ps)),
    "Turned round: surprise is minus the logarithm. A perplexity is 1 or more.": lambda ps: 1 / _perplexity(ps),
    "You added up the surprises. Take their mean, or long texts would be worse than short ones.": (
        lambda ps: _exp(sum(_surprises(ps)))
    ),
    "That is 1 by the mean probability. The mean is taken of the logarithms.": lambda ps: 1 / statistics.fmean(ps),
    "That is the mean of 1/p. Take the mean of the logarithms, and then the exponential.": (
        lambda ps: statistics.fmean(1 / p for p in ps)
    ),
    "You take the median of the surprises. Perplexity is made of their mean.": (
        lambda ps: math.exp(statistics.median(_surprises(ps)))
    ),
    "You take the largest surprise. Perplexity is made of their mean.": lambda ps: math.exp(max(_surprises(ps))),
    "The logarithm is to base e, and the power is one of 2. Use math.log and math.exp.": (
        lambda ps: 2 ** statistics.fmean(_surprises(ps))
    ),
    "The logarithm is to base e, and the power is one of 10. Use math.log and math.exp.": (
        lambda ps: 10 ** statistics.fmean(_surprises(ps))
    ),
    "The logarithm is to base 2, and the power is one of e. Use math.log and math.exp.": (
        lambda ps: math.exp(statistics.fmean(_surprises(ps)) / math.log(2))
    ),
    "The logarithm is to base 10, and the power is one of e. Use math.log and math.exp.": (
        lambda ps: math.exp(statistics.fmean(_surprises(ps)) / math.log(10))
    ),
    "You take each probability once. A token that occurs again counts again.": (lambda ps: _perplexity(list(set(ps)))),
}


def _exp(number: float) -> float:
    """Return e to a power, or infinity where that is too large for a float."""
    return math.exp(number) if number < 700 else math.inf


def _near(found: float, value: float) -> bool:
    return math.isclose(found, value, rel_tol=1e-4, abs_tol=1e-9)


@checker
def check_perplexity_of(perplexity_of: Callable[[list[float]], float]) -> str:
    """Exercise 2: the exponential of the mean surprise."""
    need_function(perplexity_of, "perplexity_of")

    def ask(probabilities: list[float]) -> float:
        """Take an overflow, or a division by 0, in a long text for a number that is too large."""
        try:
            return perplexity_of(probabilities)
        except WrongAnswerError as error:
            if not isinstance(error.__cause__, ArithmeticError) or len(probabilities) < 100:
                raise
            return math.inf

    def written(probabilities: list[float]) -> str:
        return f"perplexity_of({probabilities!r:.60})"

    def explain(found: float, right: float, probabilities: list[float]) -> str:
        if len(probabilities) > 100 and found in (0, math.inf):
            return (
                "Short texts are right, and one of 2,000 tokens isn't. A product of so many factors is too small or "
                "too large for a float: add up logarithms."
            )
        return f"{written(probabilities)} should be {right:.6g}. Yours is {found:.6g}."

    run_cases(
        ask,
        "perplexity_of",
        [(probabilities,) for probabilities in TEXTS],
        _perplexity,
        read=answers.number,
        same=_near,
        mistakes=PERPLEXITY_MISTAKES,
        write_call=written,
        explain=explain,
    )
    return "A text of coin flips has a perplexity of 2. Its length does not matter."


def _logits(answer: object, call: str) -> torch.Tensor:
    """Return logits as float64.

    Raises:
        WrongAnswerError: the answer is no tensor, or one of True and False.
    """
    import torch

    if not isinstance(answer, torch.Tensor):
        end = answers.said(answer)
        raise WrongAnswerError(
            f"Return a tensor of logits, of the shape of those that came in. Yours is {end}"
            f"{'' if end.endswith('?') else '.'}"
        )
    if answer.dtype == torch.bool:
        raise WrongAnswerError("That is a mask of True and False. Return logits: masked_fill, or torch.where.")
    return answer.detach().double()


def _another_shape(found: torch.Tensor, right: torch.Tensor) -> str:
    return f"Return logits of the shape {tuple(right.shape)}. Yours have the shape {tuple(found.shape)}."


def _without(drop: Callable[[torch.Tensor, float], torch.Tensor]) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """Return an answer that fills in minus infinity by some other rule."""
    return lambda logits, share: logits.masked_fill(drop(logits, share), -math.inf)


def _limit(logits: torch.Tensor, share: float) -> torch.Tensor:
    return share * logits.softmax(-1).amax(-1, keepdim=True)


MIN_P_MISTAKES: Mapping[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "You compare with share itself. The limit is share times the highest probability.": (
        _without(lambda logits, share: logits.softmax(-1) < share)
    ),
    "You compare logits. A share of the likeliest is meant in probabilities: softmax first.": (
        _without(lambda logits, share: logits < share * logits.amax(-1, keepdim=True))
    ),
    "With several rows, each has a likeliest token of its own: max over dim=-1.": (
        _without(lambda logits, share: logits.softmax(-1) < share * logits.softmax(-1).max())
    ),
    "The vocabulary is the last dimension: softmax over dim=-1, and not over dim=0.": (
        _without(lambda logits, share: logits.softmax(0) < share * logits.softmax(0).amax(-1, keepdim=True))
    ),
    "The vocabulary is the last dimension: the largest over dim=-1, and not over dim=0.": (
        _without(lambda logits, share: logits.softmax(-1) < share * logits.softmax(-1).amax(0, keepdim=True))
    ),
    "A token that has exactly share times the highest probability stays: at least means >=.": (
        _without(lambda logits, share: logits.softmax(-1) <= _limit(logits, share))
    ),
    "Turned round: the likely ones stay.": _without(lambda logits, share: logits.softmax(-1) >= _limit(logits, share)),
    "You take share off the highest probability. Multiply it by share.": (
        _without(lambda logits, share: logits.softmax(-1) < logits.softmax(-1).amax(-1, keepdim=True) - share)
    ),
    "You keep the likeliest alone, whatever the share is.": (
        _without(lambda logits, share: logits < logits.amax(-1, keepdim=True))
    ),
    "Nothing has changed. Did you return what masked_fill made?": lambda logits, share: logits,
    "Those are probabilities. Return logits, with minus infinity for what goes.": (
        lambda logits, share: logits.softmax(-1).masked_fill(logits.softmax(-1) < _limit(logits, share), 0)
    ),
    "Those are all probabilities. Return logits, with minus infinity for what goes.": (
        lambda logits, share: logits.softmax(-1)
    ),
    "Those are probabilities, with minus infinity. Return the logits that came in.": (
        lambda logits, share: logits.softmax(-1).masked_fill(logits.softmax(-1) < _limit(logits, share), -math.inf)
    ),
    "The right tokens stay, with the logarithms of their probabilities. Return the logits that came in.": (
        lambda logits, share: logits.log_softmax(-1).masked_fill(logits.softmax(-1) < _limit(logits, share), -math.inf)
    ),
}


def _alike(found: torch.Tensor, other: torch.Tensor) -> bool:
    import torch

    return found.shape == other.shape and torch.allclose(found, other.double(), rtol=1e-5, atol=1e-6)


@checker
def check_min_p(min_p: Callable[[torch.Tensor, float], torch.Tensor]) -> str:
    """Exercise 3: keep what is at least a share of the likeliest."""
    run_cases(
        min_p,
        "min_p",
        _distributions(),
        _without(lambda logits, share: logits.softmax(-1) < _limit(logits, share)),
        read=_logits,
        same=_alike,
        mistakes=MIN_P_MISTAKES,
        write_call=lambda logits, share: f"min_p(logits, {share})",
        explain=_explain_min_p,
    )
    return "It bends with the model's certainty, as top-p does, and needs no sorting."


def _explain_min_p(found: torch.Tensor, right: torch.Tensor, logits: torch.Tensor, share: float) -> str:
    import torch

    if found.shape != right.shape:
        return _another_shape(found, right)
    keep = right > -math.inf
    filled = found[~keep].unique().tolist()
    if len(filled) == 1 and filled[0] != -math.inf and _alike(found[keep], right[keep]):
        return f"The right tokens go, and each gets the logit {filled[0]:g}. Give it minus infinity: -torch.inf."
    wrong = ~torch.isclose(found, right.double(), rtol=1e-5, atol=1e-6)
    ratio = (share * logits.softmax(-1) / _limit(logits, share))[wrong][0]
    return (
        f"With a share of {share}, a token with {ratio:.1%} of the highest probability should "
        f"{'keep its logit' if keep[wrong][0] else 'get minus infinity'}. {logits[wrong][0]:.4g} became "
        f"{found[wrong][0]:.4g}. (Logits of the shape {tuple(logits.shape)}.)"
    )


def _distributions() -> list[tuple[torch.Tensor, float]]:
    """Return logits and shares: one text and several, sure and unsure, ties, logits far from 0, and -inf among them."""
    import torch

    random = torch.Generator().manual_seed(9)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    unsure = torch.tensor([[2.0], [0.2]])
    cut = 2 * normal(1, 30)
    cut[0, ::3] = -math.inf
    tied = torch.tensor([[1.0, 3.0, 0.0, 3.0, 2.5, -3.0]])
    return [
        (torch.tensor([[2.0, 1.0, 0.0, -1.0, -4.0]]), 0.3),
        (3 * normal(1, 40) - 1, 0.05),
        (3 * normal(1, 40) - 1, 0.5),
        (unsure * normal(2, 40), 0.2),
        (normal(5, 5), 0.4),
        (2 * normal(2, 3, 20), 0.1),
        (2 * normal(20), 0.1),
        (2 * normal(1, 30) + 500, 0.1),
        (2 * normal(1, 30) - 500, 0.1),
        (cut, 0.1),
        (tied, 1.0),
        (tied.double(), 0.5),
    ]


START, END = "<|im_start|>", "<|im_end|>"
OPENING = f"{START}assistant\n"
DEFAULT = f"{START}system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face{END}\n"
SYSTEM = {"role": "system", "content": "You answer in one word."}
USER = {"role": "user", "content": "Is ice cold?"}
ANSWER = {"role": "assistant", "content": "Yes."}

CHATS: tuple[list[dict[str, str]], ...] = (
    [SYSTEM, USER],
    [SYSTEM, USER, ANSWER, {"role": "user", "content": "And\nfire? {it} %s"}],
    [USER],
    [USER, ANSWER],
    [{"role": "user", "content": "  A line\n\nand blanks around.\n "}],
    [{"role": "user", "content": ""}],
    [USER, USER],
)
"""With a system turn and without, of one turn and of several, with line breaks, blanks and braces."""


def _turns(messages: list[dict[str, str]], after: str = "\n", strip: bool = False) -> str:
    return "".join(
        f"{START}{m['role']}\n{m['content'].strip() if strip else m['content']}{END}{after}" for m in messages
    )


def _with_default(messages: list[dict[str, str]]) -> str:
    """Return what the tokenizer's own template makes."""
    return ("" if messages[0] == SYSTEM else DEFAULT) + _turns(messages) + OPENING


CHAT_MISTAKES: Mapping[str, Callable[[list[dict[str, str]]], str]] = {
    "The assistant's turn has to be opened at the end, or the model may go on as the user.": _turns,
    "Leave the last turn open: the model writes it, and says <|im_end|> itself.": (
        lambda messages: f"{_turns(messages)}{OPENING}{END}"
    ),
    "Leave the last turn open: the model writes it, and says <|im_end|> and a line break itself.": (
        lambda messages: f"{_turns(messages)}{OPENING}{END}\n"
    ),
    "After the last role a line break is missing; the answer begins on a line of its own.": (
        lambda messages: _turns(messages) + OPENING.rstrip()
    ),
    "After <|im_end|> comes a line break, too.": lambda messages: _turns(messages, "") + OPENING,
    "There is a backslash and an n in your text, instead of a line break.": (
        lambda messages: (_turns(messages) + OPENING).replace("\n", "\\n")
    ),
    "Put the contents in as they are: blanks and line breaks around them belong to them.": (
        lambda messages: _turns(messages, strip=True) + OPENING
    ),
    "Leave out the default system turn, which the tokenizer's own template puts in front.": _with_default,
    "The default system turn stands in front of each chat. Leave it out.": (
        lambda messages: DEFAULT + _turns(messages) + OPENING
    ),
    "Only the last message is in your text. The model reads all of them.": (
        lambda messages: _turns(messages[-1:]) + OPENING
    ),
    "Only the first message is in your text. The model reads all of them.": (
        lambda messages: _turns(messages[:1]) + OPENING
    ),
    "Open the assistant's turn once, at the end, and not after each message.": (
        lambda messages: "".join(_turns([message]) + OPENING for message in messages)
    ),
    "Each turn says who speaks: after <|im_start|> comes the role.": (
        lambda messages: _turns([{**message, "role": "user"} for message in messages]) + OPENING
    ),
    "Your text has the contents alone. Each turn has its signs, <|im_start|> and <|im_end|>, and its role.": (
        lambda messages: "\n".join(message["content"] for message in messages)
    ),
}


@checker
def check_render_chat(render_chat: Callable[[list[dict[str, str]]], str]) -> str:
    """Exercise 4: the chat template, by hand."""
    run_cases(
        render_chat,
        "render_chat",
        [(messages,) for messages in CHATS],
        lambda messages: _turns(messages) + OPENING,
        read=functools.partial(answers.text, example="the whole chat"),
        mistakes=CHAT_MISTAKES,
        explain=_explain_chat,
    )
    return "Character for character the form that the model was trained with."


def _explain_chat(found: str, right: str, _: list[dict[str, str]]) -> str:
    differs = (i for i, (a, b) in enumerate(zip(found, right, strict=False)) if a != b)
    place = next(differs, min(len(found), len(right)))
    so_far, wanted, yours = right[max(0, place - 25) : place], right[place : place + 15], found[place : place + 15]
    wanted, yours = (repr(part) if part else "the end" for part in (wanted, yours))
    return (
        f"{f'Right as far as {so_far!r}; then' if place else 'At the beginning'} comes {wanted}, and you have {yours}."
    )


def _penalized(logits: torch.Tensor, penalty: float) -> torch.Tensor:
    import torch

    return torch.where(logits > 0, logits / penalty, logits * penalty)


def _where_said(
    change: Callable[[torch.Tensor, float], torch.Tensor],
    other: Callable[[torch.Tensor, float], torch.Tensor] | None = None,
) -> Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]:
    """Return an answer that changes the logits of the tokens that have been said, and perhaps the others."""

    def penalize(logits: torch.Tensor, ids: torch.Tensor, penalty: float) -> torch.Tensor:
        import torch

        said = torch.zeros_like(logits, dtype=torch.bool)
        said[0, ids[0]] = True
        return torch.where(said, change(logits, penalty), other(logits, penalty) if other else logits)

    return penalize


def _each_time(logits: torch.Tensor, ids: torch.Tensor, penalty: float) -> torch.Tensor:
    for token in ids[0].tolist():
        logits = _where_said(_penalized)(logits, ids.new_tensor([[token]]), penalty)
    return logits


PENALTY_MISTAKES: Mapping[str, Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]] = {
    "Dividing brings a negative logit closer to 0, which makes it likelier. Multiply those.": (
        _where_said(lambda logits, penalty: logits / penalty)
    ),
    "Multiplying makes a positive logit larger, and its token likelier. Divide those.": (
        _where_said(lambda logits, penalty: logits * penalty)
    ),
    "You subtract the penalty. Positive logits are divided by it, negative ones multiplied.": (
        _where_said(lambda logits, penalty: logits - penalty)
    ),
    "You penalize every token. Only those in ids have been said.": lambda logits, ids, penalty: _penalized(
        logits, penalty
    ),
    "Turned round: the tokens that occur in ids are the ones to penalize.": (
        _where_said(lambda logits, penalty: logits, _penalized)
    ),
    "Turned round: that makes what has been said likelier still.": (
        _where_said(lambda logits, penalty: _penalized(logits, 1 / penalty))
    ),
    "A token that occurs twice is penalized twice. Take each once: ids[0].unique().": _each_time,
    "That forbids them. A penalty only makes them less likely: small words have to come back.": (
        _where_said(lambda logits, penalty: logits.new_full(logits.shape, -math.inf))
    ),
    "That makes their logits 0. A penalty makes a token less likely, and 0 may be more than it had.": (
        _where_said(lambda logits, penalty: logits.new_zeros(logits.shape))
    ),
    "You penalize the last token alone. All in ids have been said.": (
        lambda logits, ids, penalty: _where_said(_penalized)(logits, ids[:, -1:], penalty)
    ),
    "You penalize the first token alone. All in ids have been said.": (
        lambda logits, ids, penalty: _where_said(_penalized)(logits, ids[:, :1], penalty)
    ),
    "Nothing has changed. Did you return the logits that you filled in?": lambda logits, ids, penalty: logits,
}


@checker
def check_penalize(penalize: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]) -> str:
    """Exercise 5: the repetition penalty of transformers."""
    import torch

    random = torch.Generator().manual_seed(9)
    cases = []
    for tokens, penalty in (
        ([1, 4, 2], 1.5),
        ([3, 3, 7, 3, 0], 2.0),
        (list(range(10)) * 2, 1.2),
        ([11], 3),
        ([5, 1, 3], 1.0),
        ([3, 1], 0.5),
        ([2, 11, 2, 0], 1.3),
    ):
        logits = 3 * torch.randn(1, 12, generator=random)
        logits[0, [1, 3, 11]] = torch.tensor([2.5, -1.5, 0.75])
        cases.append((logits, torch.tensor([tokens]), penalty))
    cases[6][0][0, [0, 2]] = torch.tensor([0.0, -math.inf])  # what a filter has cut off stays so
    run_cases(
        penalize,
        "penalize",
        cases,
        _where_said(_penalized),
        read=_logits,
        same=_alike,
        mistakes=PENALTY_MISTAKES,
        write_call=lambda logits, ids, penalty: f"penalize(logits, {ids}, {penalty})",
        explain=_explain_penalty,
    )
    return "The library's repetition_penalty does the same, number for number."


def _explain_penalty(
    found: torch.Tensor, right: torch.Tensor, logits: torch.Tensor, ids: torch.Tensor, penalty: float
) -> str:
    import torch

    if found.shape != right.shape:
        return _another_shape(found, right)
    token = int((~torch.isclose(found, right.double(), rtol=1e-5, atol=1e-6)).nonzero()[0, 1])
    times = ids[0].tolist().count(token)
    often = {0: "not at all", 1: "once", 2: "twice"}.get(times, f"{times} times")
    return (
        f"Token {token} occurs {often} in ids. With a penalty of {penalty}, its logit {logits[0, token]:.4g} should "
        f"become {right[0, token]:.4g}. Yours is {found[0, token]:.4g}."
    )
