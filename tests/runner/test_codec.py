import numpy as np
import pandas as pd
import pytest

from tenfold.errors import InputError
from tenfold.runner.codec import read_value, write_value


def test_a_tree_of_values_comes_back(tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "x": [0.1, np.nan], "name": ["a", "b c"], "on": [True, False]})
    value = {
        "frame": frame,
        "array": np.arange(6.0).reshape(2, 3),
        "list": [1, "two", None, {"deep": 2.5}],
        "i": np.int64(4),
    }
    write_value(tmp_path, value)
    found = read_value(tmp_path)
    pd.testing.assert_frame_equal(found["frame"], frame)
    np.testing.assert_array_equal(found["array"], value["array"])
    assert found["list"] == value["list"]
    assert found["i"] == 4


def test_floats_come_back_bit_for_bit(tmp_path):
    write_value(tmp_path, [0.1 + 0.2, 1e-300, np.pi])
    assert read_value(tmp_path) == [0.1 + 0.2, 1e-300, np.pi]


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, np.array([object()])])
def test_what_would_need_pickle_is_refused(tmp_path, value):
    with pytest.raises(InputError):
        write_value(tmp_path, value)
