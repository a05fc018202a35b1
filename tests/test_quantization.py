"""Quantizing, held to torch's own on random and adversarial tensors, and GGUF's blocks to the gguf package."""

import warnings

import gguf
import nbformat
import numpy as np
import pytest
import torch
from conftest import NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from course_utils.modeling import quantization
from course_utils.modeling.quantization import (
    decode_q4_1,
    dequantize,
    quantize_absmax,
    quantize_affine,
    quantize_per_channel,
)

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
TENSORS = arrays.arrays(np.float32, arrays.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=FINITE).map(
    torch.from_numpy
)
ADVERSARIAL = {
    "zeros": torch.zeros(3, 4),
    "one zero": torch.zeros(()),
    "minus zero": torch.tensor([-0.0, 0.0]),
    "constant": torch.full((2, 5), 3.7),
    "negative constant": torch.full((5,), -1e-3),
    "one outlier": torch.cat([torch.randn(99, generator=torch.Generator().manual_seed(0)), torch.tensor([1e6])]),
    "largest": torch.tensor([3.4e38, -3.4e38, 1.0]),
    "smallest": torch.tensor([1.4e-45, -1.4e-45, 0.0]),
    "tiny beside normal": torch.tensor([1e-38, 1e-44, 3e-38]),
    "positive": torch.linspace(5, 6, 50),
    "negative": torch.linspace(-6, -5, 50),
    "after GELU": torch.nn.functional.gelu(torch.linspace(-5, 3, 400)),
    "ties": torch.tensor([127.0, 0.5, 1.5, 2.5, -0.5, -1.5]),
    "half precision": torch.tensor([1.0, -2.0, 0.3], dtype=torch.float16),
    "double precision": torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64),
}
WIDTHS = st.integers(2, 8)
adversarial = pytest.mark.parametrize("x", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())


def assert_within_half_a_step(x: torch.Tensor, back: torch.Tensor, scale: torch.Tensor) -> None:
    x = x.float()
    # Beyond the half step there is only what float32 itself rounds: of the quotient, of the scale and of the product.
    allowed = scale.double() / 2 + x.double().abs() * 1e-6 + 3e-45
    assert ((x.double() - back.double()).abs() <= allowed).all()
    assert back.isfinite().all()
    assert (back[x == 0] == 0).all()


def check_absmax(x: torch.Tensor, bits: int) -> None:
    q, scale = quantize_absmax(x, bits)
    assert q.dtype == torch.int8
    assert q.shape == x.shape
    assert scale.shape == ()
    assert q.abs().max() <= 2 ** (bits - 1) - 1
    assert_within_half_a_step(x, dequantize(q, scale), scale)
    assert torch.equal(quantize_absmax(-x, bits)[0], -q)


def check_affine(x: torch.Tensor, bits: int) -> None:
    q, scale, zero_point = quantize_affine(x, bits)
    assert q.dtype == zero_point.dtype == torch.uint8
    assert q.shape == x.shape
    assert q.max() <= 2**bits - 1
    back = dequantize(q, scale, zero_point)
    # The zero point is rounded, so at an end of the range up to a whole step can be cut off.
    assert_within_half_a_step(x, back, 2 * scale)


def check_per_channel(x: torch.Tensor, bits: int, dim: int) -> None:
    q, scale = quantize_per_channel(x, bits, dim)
    assert scale.shape == tuple(size if d == dim % x.ndim else 1 for d, size in enumerate(x.shape))
    assert_within_half_a_step(x, dequantize(q, scale), scale)
    for index in range(x.shape[dim]):
        alone, own_scale = quantize_absmax(x.select(dim, index), bits)
        assert torch.equal(q.select(dim, index), alone)
        assert torch.equal(scale.select(dim, index).reshape(()), own_scale)


@settings(max_examples=200, deadline=None)
@given(TENSORS, WIDTHS)
def test_any_tensor_comes_back_within_half_a_step(x, bits):
    check_absmax(x, bits)
    check_affine(x, bits)
    for dim in range(-x.ndim, x.ndim):
        check_per_channel(x, bits, dim)


@adversarial
@pytest.mark.parametrize("bits", [2, 4, 7, 8])
def test_odd_tensors_come_back_within_half_a_step(x, bits):
    check_absmax(x, bits)
    check_affine(x, bits)
    for dim in range(x.ndim):
        check_per_channel(x, bits, dim)


def near_ties(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Where the quotient lies so near to a half that float32's own rounding decides (torch multiplies by 1/scale)."""
    quotient = x.double() / scale.double()
    return ((quotient - quotient.floor()) - 0.5).abs() < 1e-4 * (1 + quotient.abs() / 100)


def library(make, *arguments) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that its quantized tensors will go
        return make(*arguments)


def check_against_torch(x: torch.Tensor) -> None:
    x = x.float()
    q, scale = quantize_absmax(x)
    # Below this, 1 / scale, which torch multiplies by, exceeds float32.
    if scale < 1e-37:
        return
    theirs = library(torch.quantize_per_tensor, x, scale.item(), 0, torch.qint8)
    assert ((theirs.int_repr() == q) | near_ties(x, scale)).all()
    same = theirs.int_repr() == q
    assert torch.equal(theirs.dequantize()[same], dequantize(q, scale)[same])
    q, scale, zero_point = quantize_affine(x)
    theirs = library(torch.quantize_per_tensor, x, scale.item(), int(zero_point), torch.quint8)
    assert ((theirs.int_repr() == q) | near_ties(x, scale)).all()
    if x.ndim == 2:
        q, scale = quantize_per_channel(x)
        if scale.min() < 1e-37:
            return
        zeros = torch.zeros(len(scale), dtype=torch.int64)
        theirs = library(torch.quantize_per_channel, x, scale.flatten(), zeros, 0, torch.qint8)
        assert ((theirs.int_repr() == q) | near_ties(x, scale)).all()


@settings(max_examples=200, deadline=None)
@given(TENSORS)
def test_the_integers_are_torchs(x):
    check_against_torch(x)


@adversarial
def test_the_integers_of_odd_tensors_are_torchs(x):
    check_against_torch(x)


def test_a_linear_layers_weights_are_torchs_observers():
    """Scale and zero point, not only the rounding: torch's observer of min and max, and ONNX Runtime's own choice."""
    x = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    for tensor in (x, torch.nn.functional.gelu(x), x.abs(), -x.abs() - 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            observer = torch.ao.quantization.MinMaxObserver(dtype=torch.quint8)
            observer(tensor)
            scale, zero_point = observer.calculate_qparams()
        _, own_scale, own_zero_point = quantize_affine(tensor)
        torch.testing.assert_close(own_scale, scale.reshape(()), rtol=1e-6, atol=0)
        assert own_zero_point == zero_point


@pytest.mark.parametrize("quantize", [quantize_absmax, quantize_affine, quantize_per_channel])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_counted(quantize, bad):
    with pytest.raises(ValueError, match=r"2 of 6 numbers are NaN or infinite"):
        quantize(torch.tensor([[1.0, bad, 2.0], [0.0, bad, 1.0]]))


@pytest.mark.parametrize("quantize", [quantize_absmax, quantize_affine, quantize_per_channel])
def test_what_cannot_be_quantized_is_said(quantize):
    with pytest.raises(ValueError, match="an empty tensor"):
        quantize(torch.empty(0, 3))
    with pytest.raises(TypeError, match=r"not a tensor of torch\.int64"):
        quantize(torch.tensor([1, 2]))
    with pytest.raises(TypeError, match="not a list"):
        quantize([1.0, 2.0])
    with pytest.raises(TypeError, match="not a tensor of torch"):
        quantize(torch.tensor([1j]))
    for bits in (1, 9, 0, -8, 8.0, "8", None, True):
        with pytest.raises(ValueError, match="from 2 to 8"):
            quantize(torch.ones(2), bits)


def test_a_dimension_that_is_not_there_is_said():
    for x, dim in ((torch.ones(2, 2), 2), (torch.ones(2), -2), (torch.tensor(1.0), 0)):
        with pytest.raises(ValueError, match="has no dimension"):
            quantize_per_channel(x, dim=dim)


def test_dequantize_takes_integers():
    for wrong in (torch.ones(2), [1, 2], None):
        with pytest.raises(TypeError, match="tensor of integers"):
            dequantize(wrong, 1.0)
    assert dequantize(
        torch.tensor([0, 255], dtype=torch.uint8), 0.5, torch.tensor(255, dtype=torch.uint8)
    ).tolist() == [
        -127.5,
        0,
    ]


def test_a_parameter_keeps_no_gradient():
    weight = torch.nn.Linear(3, 2).weight
    for part in (*quantize_absmax(weight), *quantize_affine(weight), *quantize_per_channel(weight)):
        assert not part.requires_grad


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5).map(lambda n: 32 * n)), elements=FINITE)
)
def test_q4_1_blocks_are_decoded_as_gguf_does(weights):
    with np.errstate(all="ignore"):  # beyond float16 the step is infinite, in gguf's own code too
        raw = gguf.quantize(weights, gguf.GGMLQuantizationType.Q4_1)
        expected = gguf.dequantize(raw, gguf.GGMLQuantizationType.Q4_1)
        found = decode_q4_1(raw)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.uint8, st.integers(1, 6).map(lambda n: 20 * n)))
def test_any_bytes_are_decoded_as_gguf_does(raw):
    with np.errstate(all="ignore"):
        expected = gguf.dequantize(raw.reshape(1, -1), gguf.GGMLQuantizationType.Q4_1)[0]
        np.testing.assert_array_equal(decode_q4_1(raw), expected)


def test_what_is_no_block_is_said():
    with pytest.raises(TypeError, match="array of uint8"):
        decode_q4_1(b"x" * 20)
    with pytest.raises(TypeError, match="array of uint8"):
        decode_q4_1(np.zeros(20, dtype=np.int8))
    for shape in ((19,), (2, 21), ()):
        with pytest.raises(ValueError, match="20 bytes"):
            decode_q4_1(np.zeros(shape, dtype=np.uint8))
    assert decode_q4_1(np.zeros((3, 0), dtype=np.uint8)).shape == (3, 0)


# The lesson's definitions and the package's


@pytest.fixture(scope="module")
def taught() -> dict:
    """The functions that lesson 7 writes, by name, as its cells define them."""
    notebook = nbformat.read(NOTEBOOKS / "07_quantizing.ipynb", as_version=4)
    namespace = {"torch": torch, "np": np}
    wanted = ("quantize_absmax", "quantize_affine", "quantize_per_channel", "dequantize", "decode_q4_1")
    for cell in notebook.cells:
        if cell.cell_type == "code" and any(f"def {name}(" in cell.source for name in wanted):
            exec(cell.source.partition("\n\n\n")[0], namespace)
    return {name: namespace[name] for name in wanted}


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, (3, 8), elements=st.floats(-100, 100, width=16)).map(torch.from_numpy), WIDTHS)
def test_the_lesson_builds_what_the_package_has(taught, x, bits):
    if (x == 0).all(dim=1).any():
        return  # the lesson says that its own divide by zero there, and the package's don't
    for name in ("quantize_absmax", "quantize_per_channel", "quantize_affine"):
        own, package = taught[name](x, bits), getattr(quantization, name)(x, bits)
        for one, other in zip(own, package, strict=True):
            torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=0)
        assert torch.equal(taught["dequantize"](*own), dequantize(*package))


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.uint8, st.integers(1, 6).map(lambda n: (n, 20))))
def test_the_lesson_decodes_what_the_package_does(taught, raw):
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.stack([taught["decode_q4_1"](block) for block in raw]), decode_q4_1(raw))
