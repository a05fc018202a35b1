"""The checks of lesson 9's exercises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from course_utils.exercises import WrongAnswerError, checker, need_function

if TYPE_CHECKING:
    import torch

PROBABILITIES, P = (0.5, 0.2, 0.15, 0.1, 0.05), 0.8


@checker
def check_kept(kept: int) -> str:
    """Exercise 1: how many of five tokens top-p keeps."""
    if isinstance(kept, bool) or not isinstance(kept, int | float):
        raise WrongAnswerError(f"The answer is a number of tokens, such as 4. Yours is {kept!r:.60}.")
    if kept == 2:
        raise WrongAnswerError("0.5 and 0.2 are 0.7. What is kept has to reach 0.8.")
    if kept == 1:
        raise WrongAnswerError("The likeliest alone has 0.5. Go on until the sum reaches 0.8.")
    if kept == 4:
        raise WrongAnswerError("Four have 0.95 together. Would fewer be enough to reach 0.8?")
    if kept == 5:
        raise WrongAnswerError("All five would be p = 1. The last ones are the tail that top-p cuts off.")
    if kept == 0:
        raise WrongAnswerError("The likeliest token always stays: something has to be said.")
    if kept == P or kept in PROBABILITIES or kept in (0.7, 0.85, 0.95):
        raise WrongAnswerError("That is a probability. The question is how many tokens stay.")
    if kept != 3:
        raise WrongAnswerError("Add up 0.5, 0.2, 0.15, ... and count how many you need to reach 0.8.")
    return "0.85 is the first sum that reaches 0.8. The kept three then share out the whole."


@checker
def check_perplexity_of(perplexity_of: Callable[[list[float]], float]) -> str:
    """Exercise 2: the exponential of the mean surprise."""
    need_function(perplexity_of, "perplexity_of")
    for probabilities in ([0.5, 0.5, 0.5], [0.9, 0.1], [0.02, 0.3, 0.7, 0.25, 1.0], [0.125]):
        logs = [math.log(p) for p in probabilities]
        mean = -sum(logs) / len(logs)
        found = perplexity_of(list(probabilities))
        if isinstance(found, bool) or (not isinstance(found, int | float) and not hasattr(found, "__float__")):
            raise WrongAnswerError(f"Return a number. Yours returned {found!r:.60}.")
        found = float(found)

        def is_about(value: float, found: float = found) -> bool:
            return math.isclose(found, value, rel_tol=1e-6, abs_tol=1e-9)

        if is_about(math.exp(mean)):
            continue
        if is_about(mean):
            raise WrongAnswerError("That is the mean surprise. Perplexity is its exponential.")
        if is_about(math.exp(-mean)):
            raise WrongAnswerError("Turned round: surprise is minus the logarithm. A perplexity is 1 or more.")
        if is_about(math.exp(mean * len(logs))):
            raise WrongAnswerError(
                "You added up the surprises. Take their mean, or long texts would be worse than short ones."
            )
        if is_about(len(probabilities) / sum(probabilities)):
            raise WrongAnswerError("That is 1 by the mean probability. The mean is taken of the logarithms.")
        if is_about(sum(1 / p for p in probabilities) / len(probabilities)):
            raise WrongAnswerError(
                "That is the mean of 1/p. Take the mean of the logarithms, and then the exponential."
            )
        if is_about(2**mean) or is_about(math.exp(mean / math.log(2))) or is_about(10**mean):
            raise WrongAnswerError("The logarithm and the exponential have to be of one kind: math.log and math.exp.")
        raise WrongAnswerError(f"perplexity_of({probabilities}) should be {math.exp(mean):.4g}. Yours is {found:.4g}.")
    return "A text of coin flips has a perplexity of 2. Its length does not matter."


@checker
def check_min_p(min_p: Callable[[torch.Tensor, float], torch.Tensor]) -> str:
    """Exercise 3: keep what is at least a share of the likeliest."""
    import torch

    need_function(min_p, "min_p")
    random = torch.Generator().manual_seed(9)
    cases = [(torch.tensor([[2.0, 1.0, 0.0, -1.0, -4.0]]), 0.3)]
    cases += [(3 * torch.randn(1, 40, generator=random) - 1, share) for share in (0.05, 0.5)]
    # Two rows, of which the model is sure of one only.
    cases.append((torch.tensor([[2.0], [0.2]]) * torch.randn(2, 40, generator=random), 0.2))
    for logits, share in cases:
        probabilities = logits.softmax(dim=-1)
        keep = probabilities >= share * probabilities.amax(dim=-1, keepdim=True)
        before = logits.clone()
        found = min_p(logits, share)
        if not torch.equal(logits, before):
            raise WrongAnswerError("Leave the logits that you are given as they are, and return new ones: masked_fill.")
        if not isinstance(found, torch.Tensor) or found.shape != logits.shape:
            raise WrongAnswerError(f"Return logits of the shape {tuple(logits.shape)}. Yours returned {found!r:.60}.")
        found = found.detach().float()
        if torch.allclose(found, probabilities.masked_fill(~keep, 0)) or torch.allclose(found, probabilities):
            raise WrongAnswerError("Those are probabilities. Return logits, with minus infinity for what goes.")
        stays = found > -math.inf
        if torch.equal(stays, keep):
            if torch.equal(found[keep], logits[keep]):
                continue
            raise WrongAnswerError("The right tokens stay, but their logits have changed. Only fill in minus infinity.")
        if torch.equal(stays, ~keep):
            raise WrongAnswerError("Turned round: the likely ones stay.")
        if torch.equal(stays, probabilities >= share):
            raise WrongAnswerError("You compare with share itself. The limit is share times the highest probability.")
        if torch.equal(stays, logits >= share * logits.amax(dim=-1, keepdim=True)):
            raise WrongAnswerError(
                "You compare logits. A share of the likeliest is meant in probabilities: softmax first."
            )
        if torch.equal(stays, probabilities >= share * probabilities.max()):
            raise WrongAnswerError("With several rows, each has a likeliest token of its own: max over dim=-1.")
        if (found == 0).any():
            raise WrongAnswerError("A logit of 0 is no small one. What goes gets minus infinity.")
        raise WrongAnswerError(
            f"With a share of {share}, {int(keep.sum())} of {keep.numel()} tokens should stay. {int(stays.sum())} do."
        )
    return "It bends with the model's certainty, as top-p does, and needs no sorting."


@checker
def check_render_chat(render_chat: Callable[[list[dict[str, str]]], str]) -> str:
    """Exercise 4: the chat template, by hand."""
    need_function(render_chat, "render_chat")
    start, end = "<|im_start|>", "<|im_end|>"
    system = {"role": "system", "content": "You answer in one word."}
    user, answer = {"role": "user", "content": "Is ice cold?"}, {"role": "assistant", "content": "Yes."}
    opening = f"{start}assistant\n"
    for messages in ([system, user], [system, user, answer, {"role": "user", "content": "And\nfire? {it}"}]):
        turns = "".join(f"{start}{m['role']}\n{m['content']}{end}\n" for m in messages)
        found = render_chat([dict(message) for message in messages])
        if not isinstance(found, str):
            raise WrongAnswerError(f"Return one text. Yours returned {found!r:.60}.")
        if found == turns + opening:
            continue
        if found == turns:
            raise WrongAnswerError(
                "The assistant's turn has to be opened at the end, or the model may go on as the user."
            )
        if found in (turns + opening + end, turns + opening + end + "\n"):
            raise WrongAnswerError("Leave the last turn open: the model writes it, and says <|im_end|> itself.")
        if found == turns + opening.rstrip("\n"):
            raise WrongAnswerError(
                "After the last role a line break is missing; the answer begins on a line of its own."
            )
        if found == (turns + opening).replace(f"{end}\n", end):
            raise WrongAnswerError("After <|im_end|> comes a line break, too.")
        if found == (turns + opening).replace("\n", "\\n"):
            raise WrongAnswerError("There is a backslash and an n in your text, instead of a line break.")
        if found.endswith(turns + opening) and "named SmolLM" in found:
            raise WrongAnswerError("Leave out the default system turn: the first message may be one.")
        if start not in found or end not in found:
            raise WrongAnswerError("The signs <|im_start|> and <|im_end|> have to be in the text, around each turn.")
        expected = turns + opening
        place = next(
            (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
        )
        so_far, wanted, yours = (
            found[max(0, place - 25) : place],
            expected[place : place + 15],
            found[place : place + 15],
        )
        raise WrongAnswerError(f"Right as far as {so_far!r}; then comes {wanted!r}, and you have {yours!r}.")
    return "Character for character what the tokenizer's own template writes."


@checker
def check_penalize(penalize: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]) -> str:
    """Exercise 5: the repetition penalty of transformers."""
    import torch

    need_function(penalize, "penalize")
    random = torch.Generator().manual_seed(9)
    for ids, penalty in (([1, 4, 2], 1.5), ([3, 3, 7, 3, 0], 2.0), (list(range(10)) * 2, 1.2), ([5], 1.0)):
        logits, seen = torch.randn(1, 12, generator=random), torch.tensor([ids])
        logits[0, [1, 3]] = torch.tensor([2.5, -1.5])
        said = torch.zeros(1, 12, dtype=torch.bool)
        said[0, ids] = True
        divided = torch.where(logits > 0, logits / penalty, logits * penalty)
        before = logits.clone()
        found = penalize(logits, seen, penalty)
        if not torch.equal(logits, before):
            raise WrongAnswerError("You changed the logits that you were given. Work on logits.clone().")
        if not isinstance(found, torch.Tensor) or found.shape != logits.shape:
            raise WrongAnswerError(f"Return logits of the shape (1, vocabulary). Yours returned {found!r:.60}.")
        found = found.detach().float()

        def is_about(value: torch.Tensor, found: torch.Tensor = found) -> bool:
            return torch.allclose(found, value, atol=1e-5)

        if is_about(torch.where(said, divided, logits)):
            continue
        if is_about(torch.where(said, logits / penalty, logits)):
            raise WrongAnswerError(
                "Dividing brings a negative logit closer to 0, which makes it likelier. Multiply those."
            )
        if is_about(torch.where(said, logits - penalty, logits)):
            raise WrongAnswerError(
                "You subtract the penalty. Positive logits are divided by it, negative ones multiplied."
            )
        if is_about(divided):
            raise WrongAnswerError("You penalize every token. Only those in ids have been said.")
        if is_about(torch.where(said, logits, divided)):
            raise WrongAnswerError("Turned round: the tokens that occur in ids are the ones to penalize.")
        if is_about(torch.where(said, torch.where(logits > 0, logits * penalty, logits / penalty), logits)):
            raise WrongAnswerError("Turned round: that makes what has been said likelier still.")
        if (found[said] == -math.inf).all():
            raise WrongAnswerError(
                "That forbids them. A penalty only makes them less likely: small words have to come back."
            )
        repeated = logits.clone()
        for token in ids:
            value = repeated[0, token]
            repeated[0, token] = value / penalty if value > 0 else value * penalty
        if is_about(repeated):
            raise WrongAnswerError("A token that occurs twice is penalized twice. Take each once: ids[0].unique().")
        if is_about(logits) and penalty != 1:
            raise WrongAnswerError("Nothing has changed. Did you return the logits that you filled in?")
        place = int((found - torch.where(said, divided, logits)).abs().nan_to_num(1e9).argmax())
        raise WrongAnswerError(
            f"The logit {logits[0, place]:.3f} of a token that has {'' if said[0, place] else 'not '}been said became "
            f"{found[0, place]:.3f}, with a penalty of {penalty}."
        )
    return "The library's repetition_penalty does the same, number for number."
