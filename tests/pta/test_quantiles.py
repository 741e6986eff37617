"""Densities rebuilt from quantiles: what goes in comes out, and posteriors stay where they were."""

import numpy as np
import pytest
from scipy.stats import norm

from tenfold.errors import InputError
from tenfold.pta import cosmology
from tenfold.pta.likelihood import FreeSpectrum
from tenfold.pta.models import joint_log_likelihood, model
from tenfold.pta.quantiles import FLOOR, STEP, table_from_quantiles
from tenfold.pta.sampling import importance_sample

P = np.array([1, 10, 25, 50, 100, 160, 250, 375, 500, 625, 750, 840, 900, 950, 975, 990, 999]) / 1000
SETS = ("ng15_hd", "ng15_cp", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp")


def gaussian_quantiles(mean=-7.0, sigma=0.2):
    return mean + sigma * norm.ppf(P)


@pytest.fixture
def embedded(monkeypatch, tmp_path):
    """A machine with neither mirror, nor network, nor cache."""
    monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path / "none"))
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    yield
    # The degrees of freedom may have been loaded here: later tests want those of the mirror.
    cosmology.freedom.cache_clear()


def test_a_gaussian_comes_back():
    grid, table = table_from_quantiles(P, np.stack([gaussian_quantiles(), gaussian_quantiles(-8.0, 0.5)]))
    exact = norm.logpdf(grid, -7.0, 0.2)
    core = np.abs(grid + 7.0) < 0.3
    assert np.abs(np.exp(table[0]) - np.exp(exact))[core].max() < 0.05 * np.exp(exact).max()
    np.testing.assert_allclose(np.exp(table).sum(axis=1) * STEP, 1, atol=2e-3)


def test_the_tails_are_exponential_and_continue_value_and_slope_of_the_distribution():
    values = gaussian_quantiles()
    grid, table = table_from_quantiles(P, np.stack([values, values - 3.0]))
    above = (grid > values[-1] + STEP) & (table[0] > FLOOR)
    slopes = np.diff(table[0][above]) / STEP
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-6)
    first = np.flatnonzero(above)[0]
    at_quantile = np.exp(table[0][first] - slopes[0] * (grid[first] - values[-1]))
    assert at_quantile / -slopes[0] == pytest.approx(0.001, rel=1e-6)
    assert table.min() == FLOOR


def test_the_grid_starts_where_the_prior_of_the_chains_ends():
    values = np.stack([gaussian_quantiles(), gaussian_quantiles(-9.0, 0.4)])
    grid, _ = table_from_quantiles(P, values)
    assert grid[0] == values.min()
    assert grid[-1] >= values.max() + 3.9


@pytest.mark.parametrize(
    ("probabilities", "values", "word"),
    [
        (P[::-1], gaussian_quantiles(), "increase inside"),
        (P, gaussian_quantiles()[::-1], "bin 0"),
        (P[:-1], gaussian_quantiles(), "do not fit"),
        (np.append(P[:-1], 1.0), gaussian_quantiles(), "increase inside"),
    ],
)
def test_bad_tables_are_refused(probabilities, values, word):
    with pytest.raises(InputError, match=word):
        table_from_quantiles(probabilities, values)


@pytest.mark.parametrize("name", SETS)
def test_the_embedded_quantiles_come_back(embedded, name):
    from tenfold.datasets.pta import free_spectrum

    data = free_spectrum(name)
    assert data.resolution.source == "embedded"
    s = FreeSpectrum.load(name)
    inside = slice(2, -2)
    back = s.quantile(data.quantiles.probabilities[inside])
    # The distribution function can be as flat as 0.01 per dex: compare probabilities where it is.
    off = np.abs(back - data.quantiles.values[: s.bins, inside])
    assert np.median(off) < 2 * STEP
    assert off.max() < 0.15
    with pytest.raises(InputError, match="bins"):
        FreeSpectrum.load(name, bins=30)


@pytest.mark.mirror
@pytest.mark.parametrize("name", SETS)
def test_posteriors_agree_with_those_of_the_full_densities(mirror, request, name):
    full = FreeSpectrum.load(name)
    request.getfixturevalue("embedded")
    table = FreeSpectrum.load(name)
    assert (full.resolution.source, table.resolution.source) == ("mirror", "embedded")
    for kind, index, level in (("power_law", "gamma", "log10_A"), ("igw", "n_t", "log10_r")):
        one, two = (
            importance_sample(joint_log_likelihood(kind, s), model(kind).prior, 0, 2**17, 2**18) for s in (full, table)
        )
        assert two.median(index) == pytest.approx(one.median(index), abs=0.05)
        # Few samples near the median of log10 r, between two modes: it scatters by 0.06 from seed to seed.
        assert two.median(level) == pytest.approx(one.median(level), abs=0.3)
        difference = (two.log_evidence - table.bins * table.log_db) - (one.log_evidence - full.bins * full.log_db)
        assert abs(difference) < 0.2
