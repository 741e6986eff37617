"""Overlap of masks: counted by hand, at its limits, and for masks drawn independently."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears, tiny
from tenfold.pruning.overlap import expected_jaccard, kept, overlap


def masks(*rows):
    return {(0, "q_proj"): torch.tensor(rows, dtype=torch.bool)}


def test_jaccard_is_counted_on_either_side():
    first, second = masks([1, 1, 0, 0], [1, 0, 0, 1]), masks([1, 0, 0, 0], [1, 1, 0, 1])
    keeps = overlap(first, second, what="kept").iloc[0]
    assert keeps["jaccard"] == 3 / 5
    prunes = overlap(first, second).iloc[0]
    assert prunes["jaccard"] == 3 / 5
    assert prunes["expected"] == keeps["expected"] == pytest.approx(1 / 3)
    assert overlap(masks([1, 0, 0, 0]), masks([1, 1, 0, 0])).iloc[0]["jaccard"] == 2 / 3
    assert overlap(masks([1, 0, 0, 0]), masks([1, 1, 0, 0]), "kept").iloc[0]["jaccard"] == 1 / 2


def test_equal_masks_overlap_fully_and_opposite_ones_not_at_all():
    mask = masks([1, 0, 1, 0])
    assert overlap(mask, mask)["jaccard"].item() == 1
    assert overlap(mask, {key: ~value for key, value in mask.items()})["jaccard"].item() == 0
    dense = masks([1, 1])
    assert overlap(dense, dense)["jaccard"].item() == 1
    assert overlap(dense, dense, what="kept")["expected"].item() == 1


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.3, 0.7), (0.9, 0.6)])
def test_independent_masks_overlap_as_expected(p, q):
    generator = torch.Generator().manual_seed(0)
    first, second = ({(0, "q_proj"): torch.rand(500, 400, generator=generator) >= share} for share in (p, q))
    row = overlap(first, second).iloc[0]
    # The standard error of J on 200,000 weights is about 0.001.
    assert row["jaccard"] == pytest.approx(expected_jaccard(p, q), abs=0.005)
    assert row["expected"] == pytest.approx(expected_jaccard(p, q), abs=0.005)


def test_models_are_read_map_by_map():
    first, second = (tiny(32, 16, 24, 2, 2, 16) for _ in range(2))
    linears(blocks(second)[1])["up_proj"].weight.data[:12] = 0
    table = overlap(first, second, what="kept").set_index(["block", "linear"])["jaccard"]
    assert len(table) == 14
    assert table.pop((1, "up_proj")) == 0.5
    assert (table == 1).all()
    assert kept(second)[1, "up_proj"].sum() == 12 * 16


def test_what_does_not_compare_is_refused():
    with pytest.raises(InputError, match="the same linear maps"):
        overlap(masks([1, 0]), masks([1, 0, 1]))
    with pytest.raises(InputError, match="the same linear maps"):
        overlap(masks([1, 0]), {(1, "q_proj"): torch.ones(1, 2, dtype=torch.bool)})
    with pytest.raises(InputError, match="side of a mask 'keep'"):
        overlap(masks([1]), masks([1]), what="keep")
    with pytest.raises(InputError, match="lie in"):
        expected_jaccard(1.2, 0.5)
