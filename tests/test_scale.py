"""Ray Data on a cluster of this machine with two workers: nothing is lost or doubled, even when one is killed."""

import contextlib
import os
import secrets
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

ray = pytest.importorskip("ray", reason="Ray has no build for this system")
pytest.importorskip("ray.data")

from course_utils import reviews  # noqa: E402
from course_utils.classifier import on_ray  # noqa: E402


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    token = tmp_path_factory.mktemp("ray") / "token"
    here = Path(__file__).parent
    # The cluster is private, and its token stays out of the home folder.
    token.write_text(secrets.token_hex(32))
    os.environ.update(
        RAY_AUTH_TOKEN_PATH=str(token),
        RAY_USAGE_STATS_ENABLED="0",
        RAY_DEDUP_LOGS="0",
        RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
    )
    others = set(psutil.Process().children(recursive=True))
    for attempt in range(3):
        try:
            ray.init(
                address="local",
                num_cpus=2,
                include_dashboard=False,
                log_to_driver=False,
                object_store_memory=200_000_000,
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(map(str, [here.parent, here]))}},
            )
            break
        except Exception as error:  # fixed limits of Ray's own: 15 and 30 seconds
            end_cluster(others)
            if "timed out during startup" not in str(error):
                raise
            if attempt == 2:
                pytest.skip("this machine was too busy for Ray, which dies when its helpers don't start in 15 seconds")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    end_cluster(others)


def end_cluster(others: set[psutil.Process]) -> None:
    """Shut Ray down, and kill what it leaves: of a cluster that did not get ready it knows nothing any more."""
    started = set(psutil.Process().children(recursive=True)) - others
    ray.shutdown()
    psutil.wait_procs(started, timeout=5)
    for process in started:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(started, timeout=10)


class Marked(on_ray.ClassifyBatch):
    """Says which process did a batch, and takes its time, so that there is one to kill midway."""

    def __init__(self, model_name, folder, **options):
        super().__init__(model_name, **options)
        self.folder = folder

    def __call__(self, batch):
        (Path(self.folder) / str(os.getpid())).touch()
        time.sleep(0.3)
        return super().__call__(batch)


def test_a_batch_gets_its_columns(reviews_checkpoint):
    classify = on_ray.ClassifyBatch(reviews_checkpoint, text_column="said", prefix="my_")
    found = classify({"said": np.array(["lovely", None, "awful"], dtype=object), "n": np.arange(3)})
    assert found["my_label"].tolist() == ["POSITIVE", "", "NEGATIVE"]
    assert np.isnan(found["my_score"]).tolist() == [False, True, False]
    assert [error != "" for error in found["my_error"]] == [False, True, False]
    assert found["n"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("batch", [{"other": np.array(["a"])}, {"text": np.array(["a"]), "label": np.array(["b"])}])
def test_columns_that_do_not_fit_are_named(reviews_checkpoint, batch):
    with pytest.raises(ValueError, match=r"there is (no|a) column"):
        on_ray.ClassifyBatch(reviews_checkpoint)(batch)


def test_a_killed_worker_loses_and_doubles_nothing(
    cluster, sentiment_pipeline, reviews_checkpoint, tmp_path, monkeypatch
):
    """With actors on every core, which have to leave room to read the files that the rows come from."""
    sample = reviews.load("validation").sample(120, random_state=4)
    marks, parts = tmp_path / "marks", tmp_path / "parts"
    marks.mkdir()
    parts.mkdir()
    for number in range(2):
        sample.iloc[number::2].to_csv(parts / f"part_{number}.csv", index_label="row")
    monkeypatch.setattr(on_ray, "ClassifyBatch", Marked)
    options = {"actors": 2, "batch_size": 10, "backend": "onnx", "folder": str(marks)}
    classified = on_ray.classify_dataset(ray.data.read_csv(str(parts)).repartition(12), reviews_checkpoint, **options)
    killed = []

    def kill_one():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and len(list(marks.iterdir())) < 2:
            time.sleep(0.05)
        for path in list(marks.iterdir())[:1]:
            os.kill(int(path.name), signal.SIGKILL)
            killed.append(path.name)

    thread = threading.Thread(target=kill_one)
    thread.start()
    found = classified.take_all()
    thread.join()
    assert killed
    assert {path.name for path in marks.iterdir()} > set(killed)
    assert sorted(row["row"] for row in found) == sorted(sample.index)
    expected = dict(zip(sample.index, sentiment_pipeline(sample["text"].tolist()), strict=True))
    assert {row["row"]: row["text"] for row in found} == sample["text"].to_dict()
    assert sum(row["label"] == expected[row["row"]]["label"] for row in found) >= 118
