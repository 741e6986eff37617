"""Tables: every number comes back bit for bit, and what CSV would garble is refused."""

import math

import numpy as np
import pandas as pd
import pytest

from tenfold import files
from tenfold.book import table
from tenfold.errors import InputError


def round_trip(frame, folder):
    path = folder / "t.csv"
    files.write_text(path, table.csv(table.tidy(frame, "table 't'")))
    return table.read(path)


def test_every_float_comes_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    hard = [0.1 + 0.2, math.pi, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, math.nextafter(1, 2), 1 / 3]
    values = np.array([*hard, *rng.normal(size=200) * 10.0 ** rng.integers(-300, 300, 200)])
    back = round_trip(pd.DataFrame({"x": values}), tmp_path)
    assert back["x"].to_numpy().tobytes() == values.tobytes()
    single = rng.normal(size=50).astype("float32")
    back = round_trip(pd.DataFrame({"x": single}), tmp_path)
    assert back["x"].to_numpy("float32").tobytes() == single.tobytes()


def test_names_that_look_like_gaps_stay_names(tmp_path):
    frame = pd.DataFrame({"method": ["None", "NA", "nan", "a, b", 'say "x"', "ü\nv"], "x": [1.0, np.nan, *range(4)]})
    back = round_trip(frame, tmp_path)
    assert back["method"].tolist() == frame["method"].tolist()
    assert back["x"].isna().tolist() == [False, True, False, False, False, False]


def test_a_named_index_becomes_columns_and_a_count_goes(tmp_path):
    frame = pd.DataFrame({"m": ["u", "u", "v"], "s": [0, 1, 0], "x": [1.0, 2.0, 3.0]})
    assert round_trip(frame.set_index(["m", "s"]), tmp_path).equals(round_trip(frame, tmp_path))
    assert list(round_trip(frame[frame.x > 1], tmp_path).columns) == ["m", "s", "x"]


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        ({"x": [1]}, "must be a pandas DataFrame, not dict"),
        (pd.DataFrame({0: [1]}), "column names must be texts"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "two columns are called 'x'"),
        (pd.DataFrame({"x": [np.zeros(3)]}), "column 'x' holds a ndarray"),
        (pd.DataFrame({"x": [[1, 2]]}), "column 'x' holds a list"),
        (pd.DataFrame({"x": [1j]}), "column 'x' holds complex numbers"),
        (pd.DataFrame({"x": [1]}, index=["u"]), "give the index a name"),
        (pd.DataFrame({("a", "b"): [1]}), "column names must be texts"),
    ],
)
def test_what_csv_would_garble_is_refused(frame, problem):
    with pytest.raises(InputError, match=f"table 't'.*{problem}"):
        table.tidy(frame, "table 't'")


def test_markdown_is_rounded_and_well_formed():
    frame = pd.DataFrame({"method": ["a|b", "c"], "x": [0.123456, np.nan], "n": [3, 40], "ok": [True, False]})
    lines = table.markdown(frame).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == ["method", "x", "n", "ok"]
    assert lines[1].split("|")[2].endswith(":"), "numbers stand to the right"
    assert r"a\|b" in lines[2] and "0.1235" in lines[2] and " 3 |" in lines[2]
    assert "nan" not in lines[3] and " 40 |" in lines[3] and "False" in lines[3]


def test_long_tables_are_cut_and_say_so_and_empty_ones_keep_their_header():
    frame = pd.DataFrame({"x": range(50)})
    assert table.markdown(frame, 10).endswith("40 more rows in the file.")
    assert len(table.markdown(frame, 10).splitlines()) == 14
    assert "x" in table.markdown(frame.head(0))
