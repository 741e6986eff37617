"""The free-spectrum likelihood against a plain binary search, its convention, and published values."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta.likelihood import BLOCK_ROWS, CLIP_LEVEL, RECOMMENDED_BINS, FreeSpectrum, pairwise_sum
from tenfold.pta.spectrum import log10_igw_h2omega, log10_power_law_rho2, rho2_per_h2omega

ALL = tuple(RECOMMENDED_BINS)


def spectrum(bins=14, size=400, low=-12.0, high=-3.0, seed=0, **options):
    rng = np.random.default_rng(seed)
    f1 = 1 / (16 * 3.15576e7)
    return FreeSpectrum(
        name="random",
        frequencies=f1 * np.arange(1, bins + 1),
        t_span=1 / f1,
        grid=np.linspace(low, high, size),
        log_density=rng.normal(-3, 4, (bins, size)),
        **options,
    )


def reference(s, x):
    """ln L of one point by binary search in the edges, bin by bin."""
    step = s.grid[1] - s.grid[0]
    edges = s.grid - 0.5 * step
    edges = np.append(edges, edges[-1] + 0.5 * step)
    index = np.searchsorted(edges, x) - 1
    if (index >= s.grid.size).any():
        return -np.inf
    return np.sum(s.log_density[np.arange(s.bins), np.maximum(index, 0)] + np.log(step))


@pytest.mark.parametrize("bins", [1, 5, 8, 9, 14, 30])
def test_equals_a_binary_search_for_every_float(bins):
    s = spectrum(bins)
    rng = np.random.default_rng(1)
    step = s.grid[1] - s.grid[0]
    edges = np.append(s.grid - 0.5 * step, s.grid[-1])
    near = np.concatenate([edges, np.nextafter(edges, -99), np.nextafter(edges, 99), s.grid])
    x = np.concatenate(
        [
            rng.uniform(-13, -3, (3000, bins)),
            rng.choice(near, (3000, bins)),
            np.repeat(near[:, None], bins, axis=1),
        ]
    )
    expected = [reference(s, row) for row in x]
    assert np.array_equal(s.log_likelihood(x), expected)
    assert np.isinf(expected).any() and np.isfinite(expected).any()


def test_infinite_and_undefined_values():
    s = spectrum(3)
    x = np.full((4, 3), -6.0)
    x[1, 0], x[2, 1], x[3, 2] = -np.inf, np.inf, np.nan
    values = s.log_likelihood(x)
    lowest = x[1].copy()
    lowest[0] = s.grid[0]
    assert values[1] == s.log_likelihood(lowest)
    assert values[2] == values[3] == -np.inf


@pytest.mark.parametrize("count", [*range(1, 42), 127, 128, 129, 300])
def test_pairwise_sum_adds_in_the_order_of_numpy(count):
    rows = np.random.default_rng(count).normal(0, 1e3, (count, 50))
    assert np.array_equal(pairwise_sum(rows), [column.copy().sum() for column in rows.T])


@pytest.mark.parametrize("n", [1, 2, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_batch_equals_loop_and_permutation_permutes(n):
    s = spectrum()
    rng = np.random.default_rng(2)
    x = rng.uniform(-12, -4, (n, 14))
    values = s.log_likelihood(x)
    some = rng.choice(n, min(n, 50), replace=False)
    assert np.array_equal(values[some], [s.log_likelihood(x[i]) for i in some])
    order = rng.permutation(n)
    assert np.array_equal(s.log_likelihood(x[order]), values[order])
    assert np.array_equal(s.log_likelihood(np.asfortranarray(x)), values)


def test_constant_within_a_cell_and_exact_at_grid_points():
    s = spectrum()
    rng = np.random.default_rng(3)
    index = rng.integers(1, s.grid.size - 1, s.bins)
    x = s.grid[index]
    step = s.grid[1] - s.grid[0]
    at_grid = s.log_likelihood(x)
    assert at_grid == pytest.approx(s.bins * s.log_db + s.log_density[np.arange(14), index].sum(), rel=1e-14)
    assert s.log_likelihood(x + rng.uniform(-0.499, 0.499, 14) * step) == at_grid
    assert s.log_likelihood(x + 0.501 * step) != at_grid


def test_accepts_lists_vectors_and_stacks():
    s = spectrum(2)
    one = s.log_likelihood([-6.0, -7.0])
    assert isinstance(one, float)
    assert s.log_likelihood([[-6.0, -7.0]]).tolist() == [one]
    assert s.log_likelihood(np.tile([-6.0, -7.0], (4, 3, 1))).shape == (4, 3)
    assert s.log_likelihood(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("x", [-6.0, [-6.0] * 13, np.zeros((14, 2))])
def test_wrong_shapes_are_refused(x):
    with pytest.raises(InputError, match="last axis must be 14"):
        spectrum().log_likelihood(x)


def test_undefined_densities_count_as_the_floor():
    s = spectrum(2)
    table = s.log_density.copy()
    table[1, 200] = np.nan
    holed = FreeSpectrum("holed", s.frequencies, s.t_span, s.grid, table)
    expected = table[0, 100] - 36.0 + 2 * s.log_db
    assert holed.log_likelihood([s.grid[100], s.grid[200]]) == pytest.approx(expected)


def test_tables_that_do_not_fit_are_refused():
    s = spectrum(3)
    with pytest.raises(InputError, match="does not fit"):
        FreeSpectrum("short", s.frequencies[:2], s.t_span, s.grid, s.log_density)
    bent = s.grid.copy()
    bent[200] += 1e-3
    with pytest.raises(InputError, match="not uniform"):
        FreeSpectrum("bent", s.frequencies, s.t_span, bent, s.log_density)


def test_dropping_a_bin_takes_out_its_term():
    s = spectrum(4)
    x = np.random.default_rng(4).uniform(-11, -4, (20, 4))
    without, alone = s.drop(2), s.drop([0, 1, 3])
    total = without.log_likelihood(x[:, [0, 1, 3]]) + alone.log_likelihood(x[:, [2]])
    np.testing.assert_allclose(s.log_likelihood(x), total, rtol=1e-13)
    assert without.t_span == s.t_span and without.bins == 3
    assert s.drop(-1).frequencies.tolist() == s.frequencies[:3].tolist()
    with pytest.raises(InputError, match="bins 0 to 3"):
        s.drop(4)
    with pytest.raises(InputError, match="no bin"):
        s.drop(range(4))


def test_clip_floor_holds_the_table_constant_below_it():
    free, clipped = spectrum(), spectrum(clip_floor=-9.0)
    x = np.random.default_rng(5).uniform(-12, -3.5, (200, 14))
    level = np.maximum(x, -9.0)
    assert np.array_equal(clipped.log_likelihood(x), free.log_likelihood(level))
    assert np.array_equal(clipped.log_density, free.log_density)


def test_quantiles_of_a_gaussian_density():
    grid = np.linspace(-12, -4, 4001)
    mean, sigma = np.array([-7.0, -8.0]), np.array([0.3, 0.1])
    table = -0.5 * ((grid - mean[:, None]) / sigma[:, None]) ** 2
    s = FreeSpectrum("normal", [1e-9, 2e-9], 1e9, grid, table)
    q = s.quantile([0.1586552539, 0.5, 0.8413447461])
    np.testing.assert_allclose(q, mean[:, None] + sigma[:, None] * [-1, 0, 1], atol=1e-5)
    assert s.quantile(0.5).shape == (2,)
    assert s.density(0).argmax() == np.abs(grid + 7).argmin()
    with pytest.raises(InputError, match="quantiles lie"):
        s.quantile(1.5)


def test_load_refuses_unknown_names_and_impossible_bins(tmp_path):
    with pytest.raises(InputError, match="ng15_hd"):
        FreeSpectrum.load("ng15_dh")
    s = spectrum(3)
    np.save(tmp_path / "density.npy", s.log_density[None])
    np.save(tmp_path / "freqs.npy", s.frequencies)
    np.save(tmp_path / "log10rhogrid.npy", s.grid)
    own = FreeSpectrum.load(tmp_path)
    assert own.bins == 3 and own.clip_floor is None
    assert own.t_span == 1 / s.frequencies[0]
    x = [-5.0, -6.0, -7.0]
    assert own.log_likelihood(x) == s.log_likelihood(x)
    assert FreeSpectrum.load(tmp_path, bins=2, clip_floor=True).clip_floor == CLIP_LEVEL
    for bins in (0, 4, 1.5, True):
        with pytest.raises(InputError, match="1 to 3 bins"):
            FreeSpectrum.load(tmp_path, bins=bins)


def power_law(s, log10_A, gamma):
    return 0.5 * log10_power_law_rho2(s.frequencies, log10_A, gamma, s.t_span)


def waves(s, *parameters):
    logs = log10_igw_h2omega(s.frequencies, *parameters)
    return 0.5 * (logs + np.log10(rho2_per_h2omega(s.frequencies, s.t_span)))


@pytest.mark.mirror
def test_reference_values_on_the_nanograv_densities(mirror):
    s = FreeSpectrum.load("ng15_hd", bins=14)
    assert s.log_likelihood(power_law(s, -14.19, 3.2)) == pytest.approx(-104.189035, abs=1e-6)
    assert s.log_likelihood(power_law(s, -14.62, 13 / 3)) == pytest.approx(-109.556, abs=1e-3)
    assert s.log_likelihood(power_law(s, -30, 3)) == pytest.approx(-163.485, abs=1e-3)
    assert s.log_likelihood(power_law(s, -10, 6)) == -np.inf
    assert s.log_likelihood(waves(s, 1.8, -8.4, 0)) == pytest.approx(-105.173, abs=1e-3)
    assert s.log_likelihood(waves(s, 2.0, -10.2, 1)) == pytest.approx(-106.959, abs=1e-3)
    assert s.log_likelihood(waves(s, -0.036 / 8, np.log10(0.036), 3)) == pytest.approx(-165.257, abs=1e-3)


@pytest.mark.mirror
@pytest.mark.parametrize("name", ALL)
def test_densities_are_normalised_on_harmonic_frequencies(mirror, name):
    s = FreeSpectrum.load(name)
    assert s.bins == RECOMMENDED_BINS[name]
    np.testing.assert_allclose(np.exp(s.log_density).sum(axis=1) * np.exp(s.log_db), 1, atol=0.011)
    steps = np.diff(s.frequencies)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    if name != "ipta_dr2_cp":  # whose bins are 3 % wider than 1/T_span
        np.testing.assert_allclose(s.frequencies, s.frequencies[0] * np.arange(1, s.bins + 1), rtol=1e-12)


@pytest.mark.mirror
def test_the_prior_edge_of_the_ppta_chains(mirror):
    weak = np.full(14, -12.0)
    assert FreeSpectrum.load("ppta_dr3_hd").log_likelihood(weak) == pytest.approx(-122.6, abs=0.05)
    assert FreeSpectrum.load("ppta_dr3_hd", clip_floor=False).log_likelihood(weak) == pytest.approx(-569.1, abs=0.05)


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["ng15_hd", "ppta_dr3_hd", "epta_dr2new_hd"])
def test_bits_agree_with_ceffyl(mirror, name):
    package = pytest.importorskip("ceffyl.Ceffyl", reason="ceffyl is not installed")
    s = FreeSpectrum.load(name, clip_floor=False)
    theirs = package.ceffyl(str(mirror / "gb-igw" / name))
    theirs.add_signals([package.signal(N_freqs=s.bins)])
    rng = np.random.default_rng(6)
    theta = np.column_stack([rng.uniform(-18, -11, 2000), rng.uniform(0, 7, 2000)])
    tables = theirs.density[0, : s.bins], theirs.rho_grid
    assert np.array_equal(tables[0], s.log_density) and np.array_equal(tables[1], s.grid)

    def log10_rho(row):
        rho2 = theirs.signals[0].get_rho(
            theirs.reshaped_freqs[: s.bins], {"log10_A": row[[0]], "gamma": row[[1]]}, theirs.Tspan
        )
        return 0.5 * np.log10(rho2[0])

    ours = s.log_likelihood([log10_rho(row) for row in theta])
    assert np.array_equal(ours, [theirs.ln_likelihood(row) for row in theta])
