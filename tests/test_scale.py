"""The callable for Ray Data, on its own."""

import numpy as np
import pytest

from course_utils import scale


def test_a_batch_gets_its_columns(reviews_checkpoint):
    classify = scale.ClassifyBatch(reviews_checkpoint, text_column="said", prefix="my_")
    found = classify({"said": np.array(["lovely", None, "awful"], dtype=object), "n": np.arange(3)})
    assert found["my_label"].tolist() == ["POSITIVE", "", "NEGATIVE"]
    assert np.isnan(found["my_score"]).tolist() == [False, True, False]
    assert [error != "" for error in found["my_error"]] == [False, True, False]
    assert found["n"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("batch", [{"other": np.array(["a"])}, {"text": np.array(["a"]), "label": np.array(["b"])}])
def test_columns_that_do_not_fit_are_named(reviews_checkpoint, batch):
    with pytest.raises(ValueError, match=r"there is (no|a) column"):
        scale.ClassifyBatch(reviews_checkpoint)(batch)
