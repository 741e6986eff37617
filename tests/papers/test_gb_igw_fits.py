"""Fits: what a summary says is what the sampler found, and each result stands under its own name."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tenfold.papers.gb_igw import fits
from tenfold.papers.gb_igw.parameters import MODELS, NEEDED
from tenfold.pta import FreeSpectrum, importance_sample, joint_log_likelihood, model

from .conftest import Book, parameters

SMALL = 2**10


def power_law(**changes):
    arguments = fits.point(parameters(log2_points=10), "power_law", ["ng15_hd"]) | changes
    return fits.fit(**arguments)


def direct(spectra, name="power_law", seed=0, **bounds):
    signal = model(name).with_prior(**bounds)
    # At 2^10 points a weight may reach a sixteenth before more points are drawn.
    return importance_sample(joint_log_likelihood(signal, spectra), signal.prior, seed, SMALL, SMALL, max_weight=2**-4)


def test_a_fit_is_what_the_sampler_finds():
    found, posterior = power_law(), direct([FreeSpectrum.load("ng15_hd")])
    summary = found["summary"]
    for key in ("log_evidence", "log_evidence_error", "max_log_likelihood", "ess", "max_weight"):
        assert summary[key] == getattr(posterior, key)
    table = found["quantiles"].set_index("quantity")
    for name in ("log10_A", "gamma"):
        expected = posterior.quantile(name, [0.025, 0.16, 0.5, 0.84, 0.975])
        assert table.loc[name, list(fits.QUANTILES)].to_list() == expected.tolist()
    assert [found["best"][name] for name in posterior.names] == posterior.best.tolist()


def test_the_evidence_of_densities_does_not_know_the_grid():
    summary = power_law()["summary"]
    spectrum = FreeSpectrum.load("ng15_hd")
    assert summary["bins"] == spectrum.bins == 14
    assert summary["log_evidence_density"] == pytest.approx(summary["log_evidence"] - 14 * spectrum.log_db, abs=1e-12)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = power_law(), power_law(), power_law(seed=1)
    pd.testing.assert_frame_equal(first["draws"], again["draws"], check_exact=True)
    assert first["summary"] == again["summary"]
    assert other["summary"]["log_evidence"] != first["summary"]["log_evidence"]
    error = np.hypot(first["summary"]["log_evidence_error"], other["summary"]["log_evidence_error"])
    assert abs(other["summary"]["log_evidence"] - first["summary"]["log_evidence"]) < 5 * error


def test_draws_are_the_posterior():
    found = power_law(points=13)
    assert len(found["draws"]) == 2**11, "a quarter of what each stage draws, where that is few"
    assert len(power_law(points=16)["draws"]) == fits.DRAWS
    table = found["quantiles"].set_index("quantity")
    for name in ("log10_A", "gamma"):
        width = table.loc[name, "q84"] - table.loc[name, "q16"]
        assert found["draws"][name].median() == pytest.approx(table.loc[name, "median"], abs=0.05 * width)
        assert found["draws"][name].quantile(0.16) == pytest.approx(table.loc[name, "q16"], abs=0.05 * width)


@pytest.mark.parametrize("drop", [1, 3, 14])
def test_bins_to_drop_are_counted_from_one(drop):
    spectrum = FreeSpectrum.load("ng15_hd").drop(drop - 1)
    found = power_law(drop=drop)["summary"]
    assert found["bins"] == 13
    assert found["log_evidence"] == direct([spectrum]).log_evidence


def test_several_arrays_are_one_product_of_likelihoods():
    names = ["ng15_hd", "epta_dr2new_hd"]
    found = fits.fit(**fits.point(parameters(log2_points=10), "power_law", names))
    spectra = [FreeSpectrum.load(name) for name in names]
    assert found["summary"]["bins"] == 14 + 9
    assert found["summary"]["log_evidence"] == direct(spectra).log_evidence
    best = [found["best"][key] for key in ("log10_A", "gamma")]
    apart = sum(model("power_law").log_likelihood(best, spectrum) for spectrum in spectra)
    assert found["summary"]["max_log_likelihood"] == pytest.approx(apart, abs=1e-9)


def test_bounds_narrow_the_prior():
    narrow = power_law(bounds={"gamma": [3.0, 3.5]})
    assert narrow["draws"].gamma.between(3.0, 3.5).all()
    assert narrow["summary"]["log_evidence"] == direct([FreeSpectrum.load("ng15_hd")], gamma=(3.0, 3.5)).log_evidence


@pytest.mark.parametrize("name", ["gb1_log", "gb1_linear"])
def test_derived_indices_obey_the_identities_of_the_model(found, name):
    """n_s - 1 = n_T - 4/(4N + n) and r = -8 (1 - alpha) n_T for every draw."""
    draws = found["ng15_hd", name]["draws"]
    assert np.allclose(draws.n_s - 1, draws.n_t - 4 / (4 * draws.N + draws.n), atol=1e-12)
    alpha = draws.alpha if "alpha" in draws else 1 - np.sign(draws.n) * 10**draws.log10_delta
    inside = np.abs(1 - alpha) > 1e-6  # else 1 - alpha has lost its digits
    assert np.allclose(draws.r[inside], (-8 * (1 - alpha) * draws.n_t)[inside], rtol=1e-8)
    assert np.allclose(np.log10(draws.r), draws.log10_r, atol=1e-9)


@pytest.mark.parametrize("name", NEEDED)
def test_the_best_fit_is_the_point_of_the_largest_likelihood(found, name):
    result, signal = found["ng15_hd", name], found.model("ng15_hd", name)
    theta = {key: result["best"][key] for key in signal.names}
    value = signal.log_likelihood(theta, FreeSpectrum.load("ng15_hd"))
    assert value == pytest.approx(result["summary"]["max_log_likelihood"], abs=1e-9)
    drawn = signal.log_likelihood(result["draws"][list(signal.names)].to_numpy(), FreeSpectrum.load("ng15_hd"))
    assert drawn.max() <= value + 1e-9


def test_the_posterior_wants_a_negative_exponent(found):
    """Claim C1 at its simplest; the prior alone would give 200 to 10."""
    for name in ("gb1_log", "gb1_linear"):
        table = found["ng15_hd", name]["quantiles"].set_index("quantity")
        assert table.loc["n", "q97.5"] < -10
        assert table.loc["n_t", "q2.5"] > 0.1
        assert table.loc["n_s", "q2.5"] > 1.1


def test_evidences_are_told_against_the_free_power_law(found, small):
    table = found.evidences()
    assert list(table.model) == list(small.models)
    assert (table[table.model == "power_law"].ln_bayes_factor == 0).all()
    rows = table.set_index("model")
    assert rows.loc["igw"].ln_bayes_factor == rows.loc["igw"].log_evidence - rows.loc["power_law"].log_evidence
    assert rows.loc["sfsr"].ln_bayes_factor < -20 < rows.loc["gb1_linear"].ln_bayes_factor < 0
    assert abs(rows.loc["gb1_log"].ln_bayes_factor) < 5


class Numbered:
    """A book whose fits are numbers: 100 for the first array, 200 for the second, plus the place of the model."""

    def __init__(self, parameters):
        self.parameters = parameters

    def start(self, function, points):
        assert function is fits.fit
        return SimpleNamespace(results=lambda: [self.result(point) for point in points])

    def result(self, point):
        (dataset,) = point["datasets"]
        value = 100 * (self.parameters.arrays.index(dataset) + 1) + self.parameters.models.index(point["name"])
        quantiles = pd.DataFrame([{"quantity": "x", "median": float(value)}])
        summary = {"log_evidence": float(value), "log_evidence_error": 0.0, "ess": 9e3}
        return {"summary": summary, "quantiles": quantiles, "best": {"x": value + 0.5}}


def test_each_result_stands_under_its_own_array_and_model():
    asked = parameters(arrays="ng15_hd,epta_dr2new_hd")
    grid = fits.Fits(Numbered(asked))
    rows = grid.evidences().set_index(["dataset", "model"])
    assert rows.loc[("ng15_hd", "sfsr"), "log_evidence"] == 100 + asked.models.index("sfsr")
    assert rows.loc[("epta_dr2new_hd", "igw"), "log_evidence"] == 200 + asked.models.index("igw")
    # The reference of each array is its own.
    for dataset in asked.arrays:
        assert rows.loc[(dataset, "power_law"), "ln_bayes_factor"] == 0
        assert rows.loc[(dataset, "igw"), "ln_bayes_factor"] == 1
    table = grid.quantiles()
    assert len(table) == 2 * len(asked.models)
    assert (table.best == table["median"] + 0.5).all()
    assert (table["median"] // 100 == table.dataset.map({"ng15_hd": 1, "epta_dr2new_hd": 2})).all()


def test_quantiles_rise_for_every_quantity(found):
    table = found.quantiles()
    levels = table[list(fits.QUANTILES)].to_numpy()
    assert (np.diff(levels, axis=1) >= 0).all()
    assert table.best.notna().all()
    assert not table.duplicated(["dataset", "model", "quantity"]).any()


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("power_law", "ng15_hd", {}),
        ("igw", "ng15_hd", {"transfer": "kuroyanagi"}),
        ("gb1_log", "ng15_hd", {"transfer": "kuroyanagi", "end_rule": "abs_eps1"}),
        ("smbhb", "ng15_hd", {"array": "ng15"}),
        ("smbhb", "ipta_dr2_cp", {"array": "ipta_dr2"}),
        ("igw_smbhb", "ppta_dr3_hd", {"transfer": "kuroyanagi", "array": "ng15"}),
    ],
)
def test_options_reach_the_models_that_know_them(name, dataset, expected):
    asked = parameters(transfer="kuroyanagi", end_rule="abs_eps1")
    assert fits.options(name, dataset, asked) == expected


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_options(name):
    assert model(name, **fits.options(name, "ng15_hd", parameters())).names


def test_the_end_rule_changes_the_fit():
    """With |eps_1| = 1 at the end n_T stays below 2; as published it does not."""
    asked = parameters(log2_points=10, end_rule="abs_eps1")
    bounded = fits.fit(**fits.point(asked, "gb1_log", ["ng15_hd"]))["draws"]
    assert 0 < bounded.n_t.max() < 2
    free = fits.fit(**fits.point(parameters(log2_points=10), "gb1_log", ["ng15_hd"]))["draws"]
    assert free.n_t.max() > 2


def test_bins_belong_to_the_main_array_alone():
    asked = parameters(bins=7)
    assert fits.point(asked, "igw", ["ng15_hd"])["bins"] == 7
    assert fits.point(asked, "igw", ["epta_dr2new_hd"])["bins"] == 0
    assert fits.point(asked, "igw", ["ng15_hd", "epta_dr2new_hd"])["bins"] == 0


def test_priors_are_told_for_every_parameter():
    table = fits.priors(MODELS)
    for name in MODELS:
        assert tuple(table[table.model == name].parameter) == model(name).names
    words = table.set_index(["model", "parameter"]).prior
    assert words["power_law_13_3", "log10_A"] == "uniform [-18, -12]"
    assert words["gb1_log", "n"] == "uniform [-200, 10]"
    assert words["gb1_linear", "alpha"] == "uniform [1, 2]"
    assert words["smbhb", "gamma"].startswith("Gaussian ")


@pytest.mark.mirror
def test_reference_medians_on_the_full_densities(mirror):
    """Medians on NANOGrav 15 yr HD with 14 bins: power law -14.119 and 3.079, IGW n_T 2.61."""
    asked = parameters(log2_points=13)
    grid = {name: fits.fit(**fits.point(asked, name, ["ng15_hd"])) for name in ("power_law", "igw", "gb1_log")}
    medians = {name: found["quantiles"].set_index("quantity")["median"] for name, found in grid.items()}
    assert medians["power_law"]["log10_A"] == pytest.approx(-14.119, abs=0.02)
    assert medians["power_law"]["gamma"] == pytest.approx(3.079, abs=0.04)
    assert medians["igw"]["n_t"] == pytest.approx(2.61, abs=0.06)
    assert grid["power_law"]["summary"]["log_evidence"] == pytest.approx(-110.039, abs=0.05)
    assert grid["igw"]["summary"]["log_evidence"] == pytest.approx(-110.863, abs=0.05)
    assert (grid["gb1_log"]["draws"].n < 0).mean() > 0.999


def test_fits_begin_at_once_and_are_asked_for_once(small):
    begun, waited = [], []

    class Slow(Book):
        def start(self, function, points):
            begun.extend(points)
            return SimpleNamespace(results=lambda: waited.append(1) or [{} for _ in points])

    grid = fits.Fits(Slow(small))
    assert len(begun) == len(small.models) and not waited
    assert grid.results is grid.results
    assert waited == [1]
