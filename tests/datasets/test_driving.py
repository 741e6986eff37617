"""Driving scenes: what is read from the files of the publisher, and what is refused."""

import json
import lzma

import numpy as np
import pytest

from tenfold.datasets import driving
from tenfold.datasets.driving import ARRAYS, SHAPES, TEXTS, Scenes
from tenfold.errors import InputError


def written(folder, count=3, texts=None, **changes):
    """Write the two files of so many scenes, with changes to the arrays; return the folder."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(count, *shape)).astype(np.float32) for name, (_, shape) in SHAPES.items()}
    np.savez(folder / ARRAYS, **(arrays | changes))
    pair = '{"question": "Why?", "answer": "So."}'
    records = texts or [{"input_prompt": f"scene {i}", "response_content": f"{pair}\n{{odd"} for i in range(count)]
    with lzma.open(folder / TEXTS, "wt") as stream:
        stream.write("\n".join(map(json.dumps, records)))
    return folder


def test_scenes_come_as_they_were_written(tmp_path):
    found = driving.read(written(tmp_path))
    assert found.texts == ("scene 0", "scene 1", "scene 2")
    assert found.questions == (("Why?",),) * 3 and found.answers == (("So.",),) * 3
    with np.load(tmp_path / ARRAYS) as stored:
        assert np.array_equal(found.vehicles, stored["vehicle_descriptors"])


def test_an_index_gives_a_scene_and_a_slice_gives_scenes(tmp_path):
    found = driving.read(written(tmp_path, 5))
    scene = found[2]
    assert set(scene) == {*SHAPES, "text"} and scene["text"] == "scene 2"
    assert np.array_equal(scene["route_descriptors"], found.route[2])
    for key, rows in (
        (slice(1, 4), [1, 2, 3]),
        ([4, 0], [4, 0]),
        (np.array([True, False, True, False, False]), [0, 2]),
    ):
        part = found[key]
        assert part.texts == tuple(f"scene {i}" for i in rows) and len(part.questions) == len(rows)
        assert np.array_equal(part.ego, found.ego[rows])
    assert [item["text"] for item in found] == list(found.texts)
    joined = found[:2] + found[3:]
    assert joined.texts == ("scene 0", "scene 1", "scene 3", "scene 4")
    assert np.array_equal(joined.route, found.route[[0, 1, 3, 4]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"route_descriptors": np.zeros((3, 29, 17), np.float32)}, "route"),
        ({"ego_vehicle_descriptor": np.full((3, 31), np.nan, np.float32)}, "finite"),
        ({"vehicle_descriptors": np.zeros((3, 30, 33))}, "float32"),
        ({"ego_vehicle_descriptor": np.zeros((2, 31), np.float32)}, "2 scenes but 3 texts"),
        ({"route_descriptors": np.array([{}] * 3, dtype=object)}, "cannot be read"),
    ],
)
def test_arrays_that_cannot_be_right_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        driving.read(written(tmp_path, **changes))


def test_damaged_texts_are_refused(tmp_path):
    written(tmp_path, texts=[{"caption": "x"}] * 3)
    with pytest.raises(InputError, match="input_prompt"):
        driving.read(tmp_path)
    (tmp_path / TEXTS).write_bytes((tmp_path / TEXTS).read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        driving.read(tmp_path)


def test_parts_of_other_lengths_do_not_go_together():
    arrays = {name: np.zeros((2, *shape), np.float32) for name, shape in SHAPES.values()}
    with pytest.raises(InputError, match="lists of questions"):
        Scenes(**arrays, texts=("a", "b"), questions=(("why?",),), answers=(("so",),))


@pytest.mark.mirror
def test_the_990_scenes_of_the_mirror(mirror):
    found = driving.scenes()
    assert len(found) == 990
    assert sum(map(len, found.questions)) == sum(map(len, found.answers)) > 15_800
    assert (found.vehicles[..., 0] != 0).sum() == 5845
