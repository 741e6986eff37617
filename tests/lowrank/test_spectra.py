"""Spectra: the methods against float64, normalisations in closed form, effective ranks of known spectra."""

import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.lowrank import (
    METHODS,
    NORMALISATIONS,
    entropy_rank,
    normalized_spectrum,
    singular_values,
    spectrum_errors,
    stable_rank,
)
from tenfold.lowrank.spectra import solved
from tests.lowrank.matrices import matrix, orthogonal, seeded

SIGMA = np.array([5.0, 4.0, 2.0, 1.0])


@pytest.mark.parametrize("shape", [(24, 24), (50, 20), (20, 50)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_methods_agree_with_float64(shape, decay):
    w = matrix(*shape, decay=decay)
    exact = torch.linalg.svdvals(w.double())
    for method, bound in (("gram", 1e-6), ("svd", 1e-5)):
        found = singular_values(w, method)
        assert found.dtype == torch.float32
        assert (found.double() - exact).abs().max() < bound * exact[0], method


def test_the_tail_is_lost_in_a_gram_matrix_of_float32_and_nowhere_else():
    w = matrix(40, 30, decay=0.5)
    table = spectrum_errors(w).set_index("method")
    assert set(table.index) == set(METHODS)
    assert table.loc["gram32", "error"] > 1e-5
    assert table.loc["gram", "error"] < 1e-7
    assert table.loc["svd", "error"] < 1e-6
    assert table.loc["randomised", "values"] == 7
    assert table.loc["randomised", "error"] < 1e-3


def test_random_directions_follow_the_seed_and_leave_the_global_generator_alone():
    w = matrix(40, 40)
    state = torch.random.get_rng_state()
    first, again, other = (singular_values(w, "randomised", 5, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)
    exact = torch.linalg.svdvals(w)[:5]
    assert ((exact - first) / exact).abs().max() < 0.05


def test_a_stack_is_its_matrices():
    stack = torch.stack([matrix(9, 7, seed) for seed in range(3)])
    for method in ("gram", "svd"):
        alone = torch.stack([singular_values(w, method) for w in stack])
        assert torch.allclose(singular_values(stack, method), alone, atol=1e-6)


def test_half_precision_counts_as_stored():
    w = matrix(12, 8).bfloat16()
    assert torch.equal(singular_values(w), singular_values(w.float()))


def test_what_has_no_singular_values():
    for value in (math.nan, math.inf):
        w = matrix(4, 4)
        w[1, 2] = value
        with pytest.raises(InputError, match="NaN or infinite"):
            singular_values(w)
    with pytest.raises(InputError, match="no matrix"):
        singular_values(torch.ones(4))
    with pytest.raises(InputError, match="did you mean 'gram'"):
        singular_values(matrix(4, 4), "gramm")
    with pytest.raises(InputError, match=r"1 \.\.\. 4"):
        singular_values(matrix(4, 6), "randomised", 5)


def test_a_solver_that_does_not_converge_is_repeated_in_float64_on_the_cpu():
    calls = []

    def stubborn(w):
        calls.append(w.dtype)
        if w.dtype == torch.float32:
            raise torch.linalg.LinAlgError("no convergence")
        return torch.linalg.svd(w, full_matrices=False)

    w = matrix(6, 4)
    u, s, vh = solved(stubborn, w)
    assert calls == [torch.float32, torch.float64]
    assert torch.allclose(u * s @ vh, w, atol=1e-5)
    assert s.dtype == torch.float32


def test_normalisations_in_closed_form():
    wanted = {
        "minmax": [1.0, 0.75, 0.25, 0.0],
        "max": [1.0, 0.8, 0.4, 0.2],
        "raw": SIGMA,
        "energy": np.array([46, 21, 5, 1]) / 46,
    }
    assert set(wanted) == set(NORMALISATIONS)
    for by, values in wanted.items():
        found = normalized_spectrum(SIGMA, by)
        assert isinstance(found, np.ndarray)
        assert np.allclose(found, values)
        assert np.allclose(normalized_spectrum(SIGMA[::-1], by), values[::-1])
    tensor = normalized_spectrum(torch.tensor(SIGMA, dtype=torch.float32))
    assert tensor.dtype == torch.float32
    assert torch.allclose(tensor, torch.tensor(wanted["minmax"]))


def test_min_max_is_idempotent_and_blind_to_scale():
    sigma = singular_values(matrix(20, 30)).numpy().astype(float)
    once = normalized_spectrum(sigma)
    assert once.max() == 1
    assert once.min() == 0
    assert np.allclose(normalized_spectrum(once), once)
    assert np.allclose(normalized_spectrum(1e6 * sigma), once)


def test_equal_values_are_all_kept():
    for by in ("minmax", "max"):
        assert (normalized_spectrum([2.0, 2.0, 2.0], by) == 1).all()
        assert (normalized_spectrum([0.0, 0.0], by) == 1).all()
    assert (normalized_spectrum([0.0, 0.0], "energy") == 1).all()
    assert (normalized_spectrum([7.0]) == 1).all()


def test_effective_ranks_of_known_spectra():
    assert stable_rank(np.ones(6)) == pytest.approx(6)
    assert entropy_rank(np.ones(6)) == pytest.approx(6)
    assert stable_rank([3.0, 0.0, 0.0]) == entropy_rank([3.0, 0.0, 0.0]) == 1
    assert stable_rank([0.0, 0.0]) == entropy_rank([0.0, 0.0]) == 0
    assert stable_rank([2.0, 1.0]) == pytest.approx(1.25)
    assert entropy_rank([3.0, 1.0]) == pytest.approx(4 / 3**0.75)


def test_effective_ranks_are_blind_to_scale_and_rotation():
    w = matrix(15, 15, 3).double()
    turned = 7 * orthogonal(15, 1) @ w @ orthogonal(15, 2)
    for measure in (stable_rank, entropy_rank):
        assert measure(singular_values(turned)) == pytest.approx(measure(singular_values(w)), rel=1e-5)
    norm = w.norm().item() ** 2 / torch.linalg.matrix_norm(w, 2).item() ** 2
    assert stable_rank(singular_values(w)) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("wrong", [[], [1.0, math.nan], [1.0, -1.0], [[1.0]]])
def test_what_is_no_spectrum(wrong):
    for call in (normalized_spectrum, stable_rank, entropy_rank):
        with pytest.raises(InputError, match="spectrum"):
            call(wrong)
    with pytest.raises(InputError, match="normalisation"):
        normalized_spectrum([1.0], "mean")


def test_random_matrices_have_random_spectra():
    values = singular_values(torch.randn(400, 100, generator=seeded(1)))
    # Marchenko-Pastur: sigma in [sqrt(m) - sqrt(n), sqrt(m) + sqrt(n)].
    assert 9 < values[-1] < 11
    assert 28.5 < values[0] < 30.5
