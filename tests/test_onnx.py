"""The export of the embedded model: it answers as torch does, its int8 form nearly so, and it names no machine."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_build.models import onnx_export
from course_build.paths import ROOT
from course_utils import checkpoint, models
from course_utils.models import ONNX_FP32, ONNX_INT8, CheckpointError, find_exports, gguf_file, onnx_folder

SST2 = "distilbert-base-uncased-finetuned-sst-2-english"
SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def classifier():
    return AutoModelForSequenceClassification.from_pretrained(checkpoint(SST2)).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(onnx_folder(SST2))


@pytest.fixture(scope="module")
def sessions():
    return {
        name: onnxruntime.InferenceSession(onnx_folder(SST2) / name, providers=["CPUExecutionProvider"])
        for name in (ONNX_FP32, ONNX_INT8)
    }


def run(session, inputs: dict) -> np.ndarray:
    wanted = {entry.name for entry in session.get_inputs()}
    return session.run(["logits"], {name: np.asarray(inputs[name]) for name in wanted})[0]


@pytest.fixture(scope="module")
def expected(classifier):
    """A function from a tokenized batch to torch's logits."""

    def logits(inputs: dict) -> np.ndarray:
        with torch.inference_mode():
            return classifier(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits.numpy()

    return logits


@pytest.mark.parametrize(
    "texts",
    [
        ["Fine."],
        ["", "a"],
        ["word " * 700],
        ["word " * 700, "short", ""],
        ["naïve café, 漢字, 😀"] * 7,
    ],
)
def test_fp32_is_torch_for_any_batch_and_length(texts, sessions, tokenizer, expected):
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    np.testing.assert_allclose(run(sessions[ONNX_FP32], batch), expected(batch), rtol=0, atol=onnx_export.TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_fp32_is_torch_for_any_ids_and_padding(sessions, expected, size, length, seed):
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 30522, (size, length), generator=random)
    lengths = torch.randint(1, length + 1, (size, 1), generator=random)
    batch = {"input_ids": ids, "attention_mask": (torch.arange(length) < lengths).long()}
    np.testing.assert_allclose(run(sessions[ONNX_FP32], batch), expected(batch), rtol=0, atol=1e-3)


def test_a_file_is_whole_and_names_no_path_of_this_machine():
    folder = onnx_folder(SST2)
    for name in (ONNX_FP32, ONNX_INT8):
        content = (folder / name).read_bytes()
        for path in (str(ROOT), "site-packages", "/tmp/", 'File "'):
            assert path.encode() not in content
        graph = onnx.load(folder / name, load_external_data=False).graph
        assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer)
        shapes = {
            value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.input
        }
        assert shapes == {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]}


def test_int8_weights_leave_a_bit_free_and_have_a_scale_a_channel():
    """So that no processor's sums of two products overflow 16 bits; see `course_build.models.onnx_export`."""
    graph = onnx.load(onnx_folder(SST2) / ONNX_INT8).graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    weights = [tensors[node.input[1]] for node in products]
    assert len(weights) >= 36
    assert all(weight.dtype == np.int8 and abs(weight.astype(int)).max() <= 64 for weight in weights)
    scales = [tensors[node.input[1].replace("_quantized", "_scale")] for node in products]
    assert all(scale.size == weight.shape[1] for scale, weight in zip(scales, weights, strict=True))


@pytest.mark.parametrize("wrong", [ONNX_FP32, ONNX_INT8])
def test_another_answer_than_torch_s_is_refused(tmp_path: Path, monkeypatch, wrong: str):
    monkeypatch.setattr(onnx_export, "_write_fp32", lambda model, path: copy(path, turned=wrong == ONNX_FP32))
    monkeypatch.setattr(onnx_export, "_write_int8", lambda source, path: copy(path, turned=wrong == ONNX_INT8))
    with pytest.raises(ValueError, match=re.escape(wrong)):
        onnx_export.export(Path(checkpoint(SST2)), tmp_path)


def copy(path: Path, turned: bool) -> None:
    """Put a file of the real export at `path`, or one whose logits have the other sign."""
    if not turned:
        path.symlink_to(onnx_folder(SST2) / path.name)
        return
    model = onnx.load(onnx_folder(SST2) / path.name)
    node = next(node for node in model.graph.node if "logits" in node.output)
    node.output[0] = "turned"
    model.graph.node.append(onnx.helper.make_node("Neg", ["turned"], ["logits"]))
    onnx.save(model, path)


# Where it is found


def test_an_export_that_is_not_ready_says_what_mends_it(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"isn't ready: there is no folder .*\n.*\n\n    python -m course_build"):
        onnx_folder(SST2)
    with pytest.raises(CheckpointError, match=r"GGUF file of .* isn't ready: there is no folder"):
        gguf_file(SMOL)
    monkeypatch.setenv("COURSE_MODELS", "hub")
    with pytest.raises(CheckpointError, match="COURSE_MODELS=hub python -m course_build models"):
        onnx_folder(SST2)


def test_an_export_of_other_weights_is_not_taken(monkeypatch):
    folder = onnx_folder(SST2)
    monkeypatch.setattr(find_exports, "export_of", lambda model: models.Export(folder.name, "other"))
    with pytest.raises(CheckpointError, match="exported from other weights"):
        onnx_folder(SST2)


@pytest.mark.parametrize("find", [onnx_folder, gguf_file])
def test_a_model_that_has_no_such_file_is_answered_with_those_that_have(find):
    with pytest.raises(ValueError, match="only of"):
        find("finiteautomata/bertweet-base-sentiment-analysis")
    with pytest.raises(TypeError, match="not by int"):
        find(3)


def test_the_gguf_file_is_one():
    with gguf_file(SMOL).open("rb") as file:
        assert file.read(4) == b"GGUF"
