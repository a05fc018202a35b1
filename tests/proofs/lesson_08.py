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

LUCKY = {"check_batch_sizes": [[3, 1, 2]]}

STATUS = "def status_of(body, most_bytes):\n    "
LARGE = "if len(body) > most_bytes:\n        return 413\n    "
READ = "try:\n        data = json.loads(body)\n    except (ValueError, RecursionError):\n        return 422\n    "
TEXTS = (
    "texts = data.get('texts') if isinstance(data, dict) else None\n"
    "    ok = isinstance(texts, list) and texts and all(isinstance(t, str) and t.strip() for t in texts)\n"
    "    return 200 if ok else 422"
)
FAITHFUL = "def faithful(copy, original, batches, tolerance):\n    "
EACH = f"{FAITHFUL}for t in batches:\n        a, b = copy(t), original(t)\n        "
SHAPE = "if a.shape != b.shape:\n            return False\n        "
WORKERS = "import math\ndef workers(memory, program, model, batch, cores):\n    room = 7 * memory / 10\n    "
GO_ON = "def go_on(texts, results, classify, size):\n    "
FROM_HERE = "for i in range(len(results), len(texts), size):\n        "


def unless(off: str, *, shape: str = SHAPE) -> str:
    """An answer to the third exercise that finds a batch bad if this is true of it."""
    return f"{EACH}{shape}if {off}:\n            return False\n    return True"


WRONG = {
    ("check_batch_sizes", ("batch_sizes",)): {
        "waits for a full batch": ("batch_sizes = [3, 3]", "who is in"),
        "no batching": ("batch_sizes = [1] * 6", "no batching"),
        "no window": ("batch_sizes = [1, 3, 2]", "waits 4 ms before"),
        "too many in a run": ("batch_sizes = [4, 2]", "at most 3"),
        "one is forgotten": ("batch_sizes = [3, 2]", "add up to 5"),
        "an empty run": ("batch_sizes = [3, 0, 1, 2]", "at least one request"),
        "nothing": ("batch_sizes = []", "at least one request"),
        "the last two apart": ("batch_sizes = [3, 1, 1, 1]", "Play it through"),
        "another order": ("batch_sizes = [2, 1, 3]", "Play it through"),
        "how many runs": ("batch_sizes = 3", "batch_sizes should be a list with a number for each run"),
        "a text": ("batch_sizes = '3, 1, 2'", "batch_sizes should be a list with a number for each run"),
        "the requests": ("batch_sizes = [[0, 1, 2], [3], [4, 5]]", "It is a list of 3"),
    },
    ("check_status_of", ("status_of",)): {
        "JSON before the size": (f"{STATUS}{READ}{LARGE}{TEXTS}", "whatever is in it"),
        "no try": (f"{STATUS}{LARGE}data = json.loads(body)\n    {TEXTS}", "it ends too early"),
        "a ValueError alone": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("(ValueError, RecursionError)", "ValueError"),
            "which is no ValueError",
        ),
        "JSON errors alone": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("(ValueError, R", "(json.JSONDecodeError, R"),
            "no UTF-8",
        ),
        "a str is no list": (
            f"{STATUS}{LARGE}{READ}ok = isinstance(data, dict) and bool(data.get('texts'))\n"
            "    ok = ok and all(isinstance(t, str) and t.strip() for t in data['texts'])\n"
            "    return 200 if ok else 422",
            "Its texts is a string",
        ),
        "an object is no list": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("isinstance(texts, list)", "isinstance(texts, list | dict)"),
            "Its texts is an object",
        ),
        "an empty list": (f"{STATUS}{LARGE}{READ}{TEXTS}".replace("and texts and", "and"), "Its list is empty"),
        "an empty text": (f"{STATUS}{LARGE}{READ}{TEXTS}".replace(" and t.strip()", ""), "Its second text is empty"),
        "whitespace": (f"{STATUS}{LARGE}{READ}{TEXTS}".replace("t.strip()", "t"), "is all whitespace"),
        "one good text is enough": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("all(", "any("),
            "Its second text is empty",
        ),
        "the last text alone": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("in texts)", "in texts[-1:])"),
            "Its first text",
        ),
        "numbers": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("isinstance(t, str) and t.strip()", "str(t).strip()"),
            "is a number.",
        ),
        "JSON that is a list": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace(" if isinstance(data, dict) else None", ""),
            "It is a list,",
        ),
        "any object": (f"{STATUS}{LARGE}{READ}return 200 if isinstance(data, dict) else 422", "Its texts is a string"),
        "characters, not bytes": (
            f"{STATUS}if len(body.decode(errors='replace')) > most_bytes:\n        return 413\n    {READ}{TEXTS}",
            "Its characters are fewer",
        ),
        "as many as are allowed": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("> most", ">= most"),
            "It has 100 bytes, as",
        ),
        "a limit of its own": (
            f"{STATUS}{LARGE}{READ}{TEXTS}".replace("> most_bytes", "> 100"),
            "It has 19 bytes, and",
        ),
        "400": (f"{STATUS}{LARGE}{READ}{TEXTS}".replace("422", "400"), "Its texts is a string"),
        "a message": (f"{STATUS}return 'too large'", "It is the text 'too large'"),
        "calls it": ("status_of = 200", "without brackets"),
    },
    ("check_faithful", ("faithful",)): {
        "no abs": (unless("not (a - b).max() <= tolerance"), "A logit that is too low is as wrong"),
        "no abs, no shape": (
            unless("not (a - b).max() <= tolerance", shape=""),
            "Take abs() of the differences",
        ),
        "the mean with its sign": (
            unless("not (a - b).mean() <= tolerance"),
            "You look at the mean of the differences, where one bad logit drowns, and",
        ),
        "the size of the mean": (unless("not abs((a - b).mean()) <= tolerance"), "the size of the mean difference"),
        "the mean": (unless("not (a - b).abs().mean() <= tolerance"), "drowns. Take the largest"),
        "labels only": (
            f"{FAITHFUL}return all(torch.equal(copy(t).argmax(-1), original(t).argmax(-1)) for t in batches)",
            "You compare the labels",
        ),
        "NaN slips through": (unless("(a - b).abs().max() > tolerance"), "NaN slips through"),
        "shapes are stretched": (
            unless("not (a - b).abs().max() <= tolerance", shape=""),
            "one row passes for several",
        ),
        "both": (unless("(a - b).abs().max() > tolerance", shape=""), "Compare the shapes first, and ask"),
        "the first batch alone": (
            f"{EACH}return a.shape == b.shape and bool((a - b).abs().max() <= tolerance)",
            "the first batch alone",
        ),
        "the last batch alone": (
            f"{EACH}good = a.shape == b.shape and bool((a - b).abs().max() <= tolerance)\n    return good",
            "the last batch alone",
        ),
        "the last text alone": (unless("not (a - b).abs()[-1].max() <= tolerance"), "in the middle is too high by 0.5"),
        "one column alone": (unless("not (a - b).abs()[:, -1].max() <= tolerance"), "in the middle is too high by 0.5"),
        "any batch": (
            f"{FAITHFUL}return any(copy(t).shape == original(t).shape and bool((copy(t) - original(t)).abs().max() "
            "<= tolerance) for t in batches)",
            "One logit of the first batch is too high",
        ),
        "ten times the tolerance": (unless("not (a - b).abs().max() <= 10 * tolerance"), "ten times"),
        "a tolerance of its own": (unless("not (a - b).abs().max() <= 1e-4"), "whatever the tolerance"),
        "the tolerance of allclose": (unless("not torch.allclose(a, b, atol=tolerance)"), "Say rtol=0"),
        "less than the tolerance": (unless("not (a - b).abs().max() < tolerance"), "<=, and not <."),
        "exactly equal": (
            f"{FAITHFUL}return all(torch.equal(copy(t), original(t)) for t in batches)",
            "ask for equal logits",
        ),
        "always": (f"{FAITHFUL}return True", "One logit of the first batch is too high"),
        "never": (f"{FAITHFUL}return False", "The same function on both sides"),
        "the difference": (f"{FAITHFUL}return (copy(batches[0]) - original(batches[0])).abs().max()", "True or False"),
        "0 or 1": (f"{FAITHFUL}return 1", "True or False"),
    },
    ("check_workers", ("workers",)): {
        "all of the memory": (f"{WORKERS}return min(cores, memory // (program + model + batch))", "at most 70 %"),
        "30 %": (f"{WORKERS}return min(cores, int(3 * memory / 10 // (program + model + batch)))", "you use 30 %"),
        "no limit by cores": (f"{WORKERS}return room // (program + model + batch)", "keeps one busy"),
        "a worker a core": (f"{WORKERS}return cores", "before the cores do"),
        "the larger": (f"{WORKERS}return max(cores, int(room // (program + model + batch)))", "both limits"),
        "the program once": (
            f"{WORKERS}return min(cores, int((room - program) // (model + batch)))",
            "the program once",
        ),
        "the model once": (f"{WORKERS}return min(cores, int((room - model) // (program + batch)))", "the model once"),
        "the batch once": (f"{WORKERS}return min(cores, int((room - batch) // (program + model)))", "the batch once"),
        "all but the batch once": (
            f"{WORKERS}return min(cores, int((room - program - model) // batch))",
            "program and model once",
        ),
        "the model alone": (f"{WORKERS}return min(cores, int(room // model))", "more than its model"),
        "no program": (f"{WORKERS}return min(cores, int(room // (model + batch)))", "a program of its own"),
        "no batch": (f"{WORKERS}return min(cores, int(room // (program + model)))", "has a batch in memory"),
        "no model": (f"{WORKERS}return min(cores, int(room // (program + batch)))", "loads the model, too"),
        "a part of a worker": (f"{WORKERS}return min(cores, room / (program + model + batch))", "no part of a worker"),
        "rounded up": (
            f"{WORKERS}return min(cores, math.ceil(room / (program + model + batch)))",
            "Round down, not up",
        ),
        "to the nearest": (
            f"{WORKERS}return min(cores, round(room / (program + model + batch)))",
            "the nearest whole number",
        ),
        "at least one": (
            f"{WORKERS}return max(1, min(cores, int(room // (program + model + batch))))",
            "not even one worker",
        ),
        "one core for the system": (
            f"{WORKERS}return min(cores - 1, int(room // (program + model + batch)))",
            "should be 8: each takes",
        ),
        "prints": (f"{WORKERS}print(room)", "Is there a return"),
    },
    ("check_go_on", ("go_on",)): {
        "begins anew": (
            f"{GO_ON}for i in range(0, len(texts), size):\n        results.extend(classify(texts[i:i + size]))",
            "Go on after those",
        ),
        "all at once": (f"{GO_ON}results.extend(classify(texts[len(results):]))", "Give classify 3 at once"),
        "another list": (
            f"{GO_ON}{FROM_HERE}results = results + classify(texts[i:i + size])\n    return results",
            "Add to the list itself",
        ),
        "hides the error": (
            f"{GO_ON}try:\n        for i in range(len(results), len(texts), size):\n"
            "            results.extend(classify(texts[i:i + size]))\n    except Exception:\n        pass",
            "your function hid it",
        ),
        "another error": (
            f"{GO_ON}try:\n        for i in range(len(results), len(texts), size):\n"
            "            results.extend(classify(texts[i:i + size]))\n    except Exception:\n"
            "        raise OSError('cut')",
            "raised OSError",
        ),
        "saves at the end": (
            f"{GO_ON}found = []\n    {FROM_HERE}found += classify(texts[i:i + size])\n    results.extend(found)",
            "as soon as it is done",
        ),
        "empties the texts": (
            f"{GO_ON}del texts[:len(results)]\n    while texts:\n        results.extend(classify(texts[:size]))\n"
            "        del texts[:size]",
            "Leave the list of texts",
        ),
        "an empty piece": (
            f"{GO_ON}while True:\n        piece = texts[len(results):len(results) + size]\n"
            "        results.extend(classify(piece))\n        if not piece:\n            return results",
            "an empty piece is",
        ),
        "one by one": (
            f"{GO_ON}for text in texts[len(results):]:\n        results.extend(classify([text]))",
            "Yours was ['text 0']",
        ),
        "whole pieces from the next one on": (
            f"import math\n{GO_ON}pieces = [texts[i:i + size] for i in range(0, len(texts), size)]\n"
            "    for piece in pieces[math.ceil(len(results) / size):]:\n        results.extend(classify(piece))",
            "Yours was ['text 3'",
        ),
        "whole pieces from the last one on": (
            f"{GO_ON}pieces = [texts[i:i + size] for i in range(0, len(texts), size)]\n"
            "    for piece in pieces[len(results) // size:]:\n        results.extend(classify(piece))",
            "Go on after those",
        ),
        "one text too far": (
            f"{GO_ON}for i in range(len(results) + bool(results), len(texts), size):\n"
            "        results.extend(classify(texts[i:i + size]))",
            "Yours was ['text 2'",
        ),
        "texts that came before": (
            f"{GO_ON}new = list(dict.fromkeys(texts[len(results):]))\n    for i in range(0, len(new), size):\n"
            "        results.extend(classify(new[i:i + size]))",
            "Yours was ['text 6']",
        ),
        "a tuple's labels as one": (
            f"{GO_ON}{FROM_HERE}results.append(classify(texts[i:i + size]))",
            "in the end. It is",
        ),
        "the labels go in front": (
            f"{GO_ON}{FROM_HERE}results[:0] = classify(texts[i:i + size])",
            "in the end. It is",
        ),
        "a generator": (
            f"{GO_ON}{FROM_HERE}results.extend(classify(t for t in texts[i:i + size]))",
            "should be given a list",
        ),
    },
}

RIGHT = {
    ("check_batch_sizes", ("batch_sizes",)): {
        "a tuple": "batch_sizes = (3, 1, 2)",
        "torch": "batch_sizes = torch.tensor([3, 1, 2])",
        "NumPy": "import numpy as np\nbatch_sizes = np.array([3.0, 1.0, 2.0])",
        "a generator": "batch_sizes = (len(run) for run in ('abc', 'd', 'ef'))",
    },
    ("check_status_of", ("status_of",)): {
        "HTTPStatus": f"from http import HTTPStatus\n{STATUS}{LARGE}{READ}{TEXTS}".replace(
            "200 if", "HTTPStatus.OK if"
        ),
        "any exception": f"{STATUS}{LARGE}{READ}{TEXTS}".replace("(ValueError, RecursionError)", "Exception"),
        "one try around all": (
            f"{STATUS}{LARGE}try:\n        texts = json.loads(body)['texts']\n"
            "        return 200 if type(texts) is list and texts and all(t.strip() for t in texts) else 422\n"
            "    except Exception:\n        return 422"
        ),
    },
    ("check_faithful", ("faithful",)): {
        "NumPy's truth": (
            f"import numpy as np\n{FAITHFUL}return np.all([copy(t).shape == original(t).shape and "
            "bool((copy(t) - original(t)).abs().max() <= tolerance) for t in batches])"
        ),
        "torch's truth": (
            f"{FAITHFUL}good = torch.tensor(True)\n    for t in batches:\n        a, b = copy(t), original(t)\n"
            "        good &= a.shape == b.shape and ((a - b).abs() <= tolerance).all()\n    return good"
        ),
        "allclose": (
            f"{FAITHFUL}return all(copy(t).shape == original(t).shape and "
            "torch.allclose(copy(t), original(t), rtol=0, atol=tolerance) for t in batches)"
        ),
    },
    ("check_workers", ("workers",)): {
        "0.7": f"{WORKERS}return min(cores, int(0.7 * memory // (program + model + batch)))",
        "floats": f"{WORKERS}return float(min(cores, memory * 0.7 // (program + model + batch)))",
        "percent": f"{WORKERS}return min(cores, memory * 70 // 100 // (program + model + batch))",
        "floor": f"{WORKERS}return min(cores, math.floor(0.7 * memory / (program + model + batch)))",
        "NumPy": f"import numpy as np\n{WORKERS}return np.int64(min(cores, room // (program + model + batch)))",
        "one after the other": (
            f"{WORKERS}count = 0\n    while count < cores and (count + 1) * (program + model + batch) <= room:\n"
            "        count += 1\n    return count"
        ),
    },
    ("check_go_on", ("go_on",)): {
        "no return": f"{GO_ON}{FROM_HERE}results.extend(classify(texts[i:i + size]))",
        "plus": f"{GO_ON}{FROM_HERE}results += classify(texts[i:i + size])",
        "while": (
            f"{GO_ON}while len(results) < len(texts):\n        done = len(results)\n"
            "        results.extend(classify(texts[done:done + size]))"
        ),
        "label by label": (
            f"{GO_ON}{FROM_HERE}for label in classify(texts[i:i + size]):\n            results.append(label)"
        ),
        "raises it again": (
            f"{GO_ON}try:\n        for i in range(len(results), len(texts), size):\n"
            "            results.extend(classify(texts[i:i + size]))\n    except Exception:\n        raise"
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
        unmasked = model(input_ids=padded["input_ids"]).logits  # what is traced, if the ids are the only input
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
    "status_of": {
        "line 7: (ValueError, RecursionError) becomes (RecursionError, ValueError)": "both are caught, in either order",
    },
    "faithful": {
        "line 3: for texts in batches: becomes for texts in list(batches)[::-1]:": "all batches count, in any order",
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
