"""Lesson 8: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import asyncio
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint
from course_utils.files import classify
from course_utils.service.app import PROBLEMS
from course_utils.service.batcher import Batcher, QueueFullError
from proofs import Proofs

proves = Proofs()

STATUS = "def status_of(body, most_bytes):\n    "
LARGE = "if len(body) > most_bytes:\n        return 413\n    "
READ = "try:\n        data = json.loads(body)\n    except ValueError:\n        return 422\n    "
TEXTS = (
    "texts = data.get('texts') if isinstance(data, dict) else None\n"
    "    ok = isinstance(texts, list) and texts and all(isinstance(t, str) and t.strip() for t in texts)\n"
    "    return 200 if ok else 422"
)
FAITHFUL = "def faithful(copy, original, batches, tolerance):\n    "
WORKERS = "def workers(memory, program, model, batch, cores):\n    "
GO_ON = "def go_on(texts, results, classify, size):\n    "

WRONG = {
    ("check_batch_sizes", ("batch_sizes",)): {
        "waits for a full batch": ("batch_sizes = [3, 3]", "who is in"),
        "no batching": ("batch_sizes = [1] * 6", "no batching"),
        "no window": ("batch_sizes = [1, 3, 2]", "waits 4 ms"),
        "too many in a run": ("batch_sizes = [4, 2]", "at most 3"),
        "one is forgotten": ("batch_sizes = [3, 2]", "add up to 5"),
        "the last two apart": ("batch_sizes = [3, 1, 1, 1]", "Play it through"),
        "how many runs": ("batch_sizes = 3", "is a list"),
    },
    ("check_status_of", ("status_of",)): {
        "JSON before the size": (f"{STATUS}{READ}{LARGE}{TEXTS}", "before you read them as JSON"),
        "no try": (f"{STATUS}{LARGE}data = json.loads(body)\n    {TEXTS}", "answers, whatever comes"),
        "a str is no list": (
            f"{STATUS}{LARGE}{READ}ok = isinstance(data, dict) and bool(data.get('texts'))\n"
            "    ok = ok and all(isinstance(t, str) and t.strip() for t in data['texts'])\n"
            "    return 200 if ok else 422",
            "letter by letter",
        ),
        "an empty list": (
            f"{STATUS}{LARGE}{READ}texts = data.get('texts') if isinstance(data, dict) else None\n"
            "    ok = isinstance(texts, list) and all(isinstance(t, str) and t.strip() for t in texts)\n"
            "    return 200 if ok else 422",
            "nothing to classify",
        ),
        "blanks": (
            f"{STATUS}{LARGE}{READ}texts = data.get('texts') if isinstance(data, dict) else None\n"
            "    ok = isinstance(texts, list) and texts and all(isinstance(t, str) and t for t in texts)\n"
            "    return 200 if ok else 422",
            "blanks alone",
        ),
        "JSON that is a list": (
            f"{STATUS}{LARGE}{READ}texts = data.get('texts')\n"
            "    ok = isinstance(texts, list) and texts and all(isinstance(t, str) and t.strip() for t in texts)\n"
            "    return 200 if ok else 422",
            "answers, whatever comes",
        ),
        "characters, not bytes": (
            f"{STATUS}if len(body.decode(errors='replace')) > most_bytes:\n        return 413\n    {READ}{TEXTS}",
            "Count bytes",
        ),
        "a message": (f"{STATUS}return 'too large'", "Return 200, 413 or 422"),
        "calls it": ("status_of = 200", "without brackets"),
    },
    ("check_faithful", ("faithful",)): {
        "no abs": (
            f"{FAITHFUL}return all(copy(t).shape == original(t).shape and\n"
            "        bool((copy(t) - original(t)).max() <= tolerance) for t in batches)",
            "abs() first",
        ),
        "labels only": (
            f"{FAITHFUL}return all(copy(t).shape == original(t).shape and bool(copy(t).isfinite().all()) and\n"
            "        torch.equal(copy(t).argmax(-1), original(t).argmax(-1)) for t in batches)",
            "It should be False",
        ),
        "NaN slips through": (
            f"{FAITHFUL}for t in batches:\n        if copy(t).shape != original(t).shape:\n            return False\n"
            "        if (copy(t) - original(t)).abs().max() > tolerance:\n            return False\n    return True",
            "NaN",
        ),
        "shapes are stretched": (
            f"{FAITHFUL}return all(bool((copy(t) - original(t)).abs().max() <= tolerance) for t in batches)",
            "compare the shapes",
        ),
        "the first batch alone": (
            f"{FAITHFUL}for t in batches:\n        a, b = copy(t), original(t)\n"
            "        return a.shape == b.shape and bool((a - b).abs().max() <= tolerance)",
            "all batches",
        ),
        "the mean": (
            f"{FAITHFUL}return all(copy(t).shape == original(t).shape and\n"
            "        bool((copy(t) - original(t)).abs().mean() <= 0.06) for t in batches)",
            "It should be False",
        ),
        "exactly equal": (f"{FAITHFUL}return all(torch.equal(copy(t), original(t)) for t in batches)", "within the"),
        "the difference": (f"{FAITHFUL}return (copy(batches[0]) - original(batches[0])).abs().max()", "True or False"),
    },
    ("check_workers", ("workers",)): {
        "all of the memory": (
            f"{WORKERS}return min(cores, memory // (program + model + batch))",
            "at most 70 %",
        ),
        "no limit by cores": (f"{WORKERS}return 7 * memory // 10 // (program + model + batch)", "keeps one busy"),
        "a worker a core": (f"{WORKERS}return cores", "may be used"),
        "the program once": (
            f"{WORKERS}return min(cores, int((7 * memory / 10 - program) // (model + batch)))",
            "count the program once",
        ),
        "the model alone": (f"{WORKERS}return min(cores, int(7 * memory / 10 // model))", "a program, a model"),
        "a part of a worker": (
            f"{WORKERS}return min(cores, 7 * memory / 10 / (program + model + batch))",
            "no part of a worker",
        ),
        "rounded up": (
            f"import math\n{WORKERS}return min(cores, math.ceil(7 * memory / 10 / (program + model + batch)))",
            "Round down, not up",
        ),
        "at least one": (
            f"{WORKERS}return max(1, min(cores, int(7 * memory / 10 // (program + model + batch))))",
            "not even one fits",
        ),
    },
    ("check_go_on", ("go_on",)): {
        "begins anew": (
            f"{GO_ON}for i in range(0, len(texts), size):\n        results.extend(classify(texts[i:i + size]))",
            "Go on after those",
        ),
        "all at once": (f"{GO_ON}results.extend(classify(texts[len(results):]))", "at most 3 texts at once"),
        "another list": (
            f"{GO_ON}for i in range(len(results), len(texts), size):\n"
            "        results = results + classify(texts[i:i + size])\n    return results",
            "to the list itself",
        ),
        "hides the error": (
            f"{GO_ON}try:\n        for i in range(len(results), len(texts), size):\n"
            "            results.extend(classify(texts[i:i + size]))\n    except Exception:\n        pass",
            "Let the exception through",
        ),
        "saves at the end": (
            f"{GO_ON}found = []\n    for i in range(len(results), len(texts), size):\n"
            "        found += classify(texts[i:i + size])\n    results.extend(found)",
            "as soon as",
        ),
        "empties the texts": (
            f"{GO_ON}del texts[:len(results)]\n    while texts:\n        results.extend(classify(texts[:size]))\n"
            "        del texts[:size]",
            "Leave the list of texts",
        ),
        "an empty piece": (
            f"{GO_ON}while True:\n        piece = texts[len(results):len(results) + size]\n"
            "        results.extend(classify(piece))\n        if not piece:\n            return results",
            "an empty piece",
        ),
        "one by one": (
            f"{GO_ON}for text in texts[len(results):]:\n        results.extend(classify([text]))",
            "and a power cut",
        ),
        "a whole piece too far": (
            f"{GO_ON}for i in range(len(results) // size * size + size * bool(results), len(texts), size):\n"
            "        results.extend(classify(texts[i:i + size]))",
            "in the order of the texts",
        ),
    },
}


@proves("road", "batch job")
def one_machine_is_enough():
    assert 10_000_000 / 100 < 2 * 24 * 3600


@proves("mask", "Other logits", "no error")
def without_a_mask_padding_is_read():
    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    padded = tokenizer("A waste of money.", padding="max_length", max_length=12, return_tensors="pt")
    assert padded["input_ids"].eq(tokenizer.pad_token_id).any()
    with torch.inference_mode():
        masked = model(**padded).logits
        unmasked = model(input_ids=padded["input_ids"], attention_mask=torch.ones_like(padded["input_ids"])).logits
    assert (masked - unmasked).abs().max() > 0.05


@proves("window", "25 milliseconds")
def a_lone_request_waits_for_the_window():
    """By the course's batcher, on a clock that nobody waits for."""
    from course_utils.exercises.lesson_08 import schedule

    assert schedule([0.0], 0.005, 0.02, 4) == [[0]]
    # Who comes at the very end of the window still gets in, so the run began then, and the model takes 20 ms more.
    assert schedule([0.0, 0.005], 0.005, 0.02, 4) == [[0, 1]]
    assert schedule([0.0, 0.0051], 0.005, 0.02, 4) == [[0], [1]]


@proves("queue", "503", "at once")
def a_full_queue_refuses():
    async def overfill() -> None:
        batcher = Batcher(queue_texts=2)  # nothing empties it
        waiting = asyncio.ensure_future(batcher.classify(["one", "two"]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await batcher.classify(["three"])
        assert batcher.depth == 2
        waiting.cancel()

    asyncio.run(overfill())
    assert "Retry-After" in PROBLEMS[503]


@proves("cut", "third piece")
def what_the_journal_counts_is_kept(tmp_path):
    output = Path(tmp_path) / "out.csv"

    def begin_and_break_off() -> None:
        with classify.Partial.opened(output, {"input": 1}, force=False) as partial:
            partial.append(b"first\n", 2048, 0)
            partial.append(b"second\n", 2048, 0)
            with partial.rows_file.open("ab") as file:
                file.write(b"half of the th")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_break_off()
    with classify.Partial.opened(output, {"input": 1}, force=False) as partial:
        assert partial.rows == 2 * 2048
        assert partial.rows_file.read_bytes() == b"first\nsecond\n"


EQUIVALENT: dict[str, dict[str, str]] = {
    "faithful": {
        "line 3: for texts in batches: becomes for texts in list(batches)[::-1]:": "all batches count, in any order",
        "line 3: batches.reverse() comes first": "all batches count, in any order",
        "line 3: batches *= 2 comes first": "all batches count, in any order",
        "line 4: found, wanted = (copy(texts), original(texts)) becomes wanted, found = (copy(texts), original(texts))": "a difference is as large from both sides",
        "line 4: (copy(texts), original(texts)) becomes (original(texts), copy(texts))": "a difference is as large from both sides",
        "line 7: found - wanted becomes wanted - found": "a difference is as large from both sides",
    },
    "workers": {
        "line 4: 7 * memory / 10 becomes 7 * memory // 10": "what is left of a whole number of bytes is no worker",
        "line 5: room // each becomes room / each": "int rounds down, too",
        "line 5: int(room // each) becomes room // each": "it is the same number",
        "line 5: int(room // each) becomes int(room) // each": "what is left of a byte is no worker",
        "line 5: min(cores, int(room // each)) becomes min(int(room // each), cores)": "the smaller of two is the same in both orders",
    },
    "go_on": {
        "line 5: return results is dropped": "what it returns is not asked for",
        "line 5: return results becomes return results[:1]": "what it returns is not asked for",
        "line 5: return results becomes return results[1:]": "what it returns is not asked for",
        "line 5: return results becomes return results[:-1]": "what it returns is not asked for",
        "line 5: return results becomes return results[::-1]": "what it returns is not asked for",
        "line 5: return results becomes return sorted(results)": "what it returns is not asked for",
        "line 5: return results becomes return list(dict.fromkeys(results))": "what it returns is not asked for",
        "line 5: return results becomes return classify": "what it returns is not asked for",
        "line 5: return results becomes return size": "what it returns is not asked for",
        "line 5: return results becomes return texts": "what it returns is not asked for",
    },
}

HOLES = {
    "status_of": [
        "line 3: body = body.strip() comes first",
        "line 3: body = body.lower() comes first",
        "line 3: most_bytes = status_of.__dict__.setdefault('most_bytes', most_bytes) comes first",
    ],
    "faithful": [
        "line 3: original = faithful.__dict__.setdefault('original', original) comes first",
        "line 3: batches = faithful.__dict__.setdefault('batches', batches) comes first",
        "line 3: tolerance = faithful.__dict__.setdefault('tolerance', tolerance) comes first",
        "line 3: tolerance *= 2 comes first",
        "line 5: found.shape != wanted.shape becomes found.shape < wanted.shape",
        "line 7: (found - wanted).abs().max() <= tolerance becomes (found - wanted).abs().max() < tolerance",
        "line 7: (found - wanted).abs().max becomes (found - wanted).abs().mean",
        "line 7: (found - wanted).abs().max becomes (found - wanted).abs().sum",
    ],
    "workers": [
        "line 3: memory += 1 comes first",
    ],
    "go_on": [
        "line 3: texts = list(dict.fromkeys(texts)) comes first",
    ],
}
