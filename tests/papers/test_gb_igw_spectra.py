"""Spectra: violins that are the densities, distances that are distances, detectors in their own bands."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

from tenfold import datasets
from tenfold.papers.gb_igw import fits, spectra
from tenfold.pta import FreeSpectrum, bbn_limit, detector, h2omega_from_rho2, model, signal_to_noise

from .conftest import embedded, parameters


@pytest.fixture(scope="module")
def outlines(small, tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        return spectra.violins(spectra.SHOWN, small)


def violin(outlines, dataset):
    return outlines[outlines.dataset == dataset].groupby("bin")


@pytest.mark.parametrize("dataset", spectra.SHOWN)
def test_a_violin_is_its_bins_density(outlines, small, dataset):
    """Times the largest density, a violin's area over log10 rho is one; half a dex of rho is a dex of Omega."""
    spectrum = spectra.load(dataset, small)
    for number, part in violin(outlines, dataset):
        rho = part.log10_h2omega.to_numpy() / 2
        assert (np.diff(rho) > 0).all()
        assert part.width.between(0, 1).all()
        area = trapezoid(part.width, rho) * spectrum.density(number - 1).max()
        assert area == pytest.approx(1, abs=0.02), number


@pytest.mark.parametrize("dataset", spectra.SHOWN)
def test_the_dark_part_holds_95_per_cent(outlines, dataset):
    for number, part in violin(outlines, dataset):
        y, width = part.log10_h2omega.to_numpy(), part.width.to_numpy()
        inside = part.inside.to_numpy()
        assert (np.diff(np.flatnonzero(inside)) == 1).all(), "one piece"
        share = trapezoid(width[inside], y[inside]) / trapezoid(width, y)
        assert share == pytest.approx(0.95, abs=0.015), number


@pytest.mark.parametrize("dataset", spectra.SHOWN)
def test_violins_stand_at_the_frequencies_of_their_array(outlines, small, dataset):
    spectrum = spectra.load(dataset, small)
    assert list(violin(outlines, dataset).f_Hz.first()) == list(spectrum.frequencies)
    assert (violin(outlines, dataset).f_Hz.nunique() == 1).all()
    assert (np.diff(spectrum.frequencies) > 0).all()


def test_a_violin_stands_at_its_energy_density(outlines, small):
    """Its median in log10 rho, turned into h^2 Omega by the formula itself."""
    spectrum = spectra.load("ng15_hd", small)
    for number, part in violin(outlines, "ng15_hd"):
        y, width = part.log10_h2omega.to_numpy(), part.width.to_numpy()
        mass = np.concatenate([[0], np.cumsum(np.diff(y) * (width[1:] + width[:-1]) / 2)])
        median = np.interp(0.5, mass / mass[-1], y)
        rho = spectrum.quantile(0.5)[number - 1]
        f = spectrum.frequencies[number - 1]
        expected = np.log10(h2omega_from_rho2(f, 10 ** (2 * rho), spectrum.t_span))
        assert median == pytest.approx(expected, abs=0.05)


def test_bins_are_those_of_the_parameters(small):
    assert spectra.load("ng15_hd", parameters(bins=5)).bins == 5
    assert spectra.load("epta_dr2new_hd", parameters(bins=5)).bins == 9
    assert spectra.load("ng15_hd", small).bins == 14


def test_bands_hold_the_draws(found):
    f = np.array([3e-9, 3e-8])
    table = spectra.bands(found, "ng15_hd", ["gb1_log"], f)
    levels = table[["q2.5", "q16", "median", "q84", "q97.5"]].to_numpy()
    assert (np.diff(levels, axis=1) > 0).all()
    signal = found.model("ng15_hd", "gb1_log")
    draws = found["ng15_hd", "gb1_log"]["draws"][list(signal.names)].to_numpy()
    curves = np.log10(signal.h2omega(draws, f))
    inside = ((curves >= table["q16"].to_numpy()) & (curves <= table["q84"].to_numpy())).mean(axis=0)
    assert inside == pytest.approx([0.68, 0.68], abs=0.04)


def test_the_fitted_band_lies_where_the_array_sees_something(found, small):
    spectrum = spectra.load("ng15_hd", small)
    centre = spectra.log10_h2omega(spectrum, spectrum.quantile(0.5))
    f = spectrum.frequencies[1:3]  # the two bins with the clearest detections
    for name in ("gb1_log", "gb1_linear"):
        table = spectra.bands(found, "ng15_hd", [name], f)
        assert np.abs(table["median"].to_numpy() - centre[1:3]).max() < 0.5


def test_standard_slow_roll_is_far_below_every_array():
    """h^2 Omega(1/yr) = 5.4e-17 for r = 0.036 and 1e3 GeV; GB-II at its bluest is fainter still."""
    f_year = np.array([3.168808781e-8])
    table = spectra.references(f_year).set_index("model").best
    assert 10 ** table["sfsr"] == pytest.approx(5.4e-17, rel=0.02)
    assert 10 ** table["gb2"] == pytest.approx(5e-18, rel=0.1)


def test_distances_to_the_central_values(found, small):
    table = spectra.offsets(found, small)
    assert (table.groupby("dataset").size() == spectra.LOWEST).all()
    assert set(table.dataset) == set(spectra.SHOWN)
    main = table[table.dataset == "ng15_hd"]
    assert main.sfsr.median() > 6
    assert main.gb1_log.median() < 0.5
    assert (table.sfsr > table.gb1_log).all()
    spectrum = spectra.load("ng15_hd", small)
    row = main[main.bin == 2].iloc[0]
    rho = model("sfsr").log10_rho(spectra.STANDARD, spectrum)[1]
    assert row.sfsr == pytest.approx(2 * abs(rho - spectrum.quantile(0.5)[1]), abs=1e-9)


@pytest.mark.parametrize("name", ["gb1_log", "gb1_linear"])
def test_distances_use_the_fit_to_the_main_array_everywhere(name, found, small):
    """A prediction is made once: nothing is fitted to the arrays it is compared with."""
    table = spectra.offsets(found, small)
    signal, best = found.model("ng15_hd", name), found["ng15_hd", name]["best"]
    row = table[(table.dataset == "ipta_dr2_cp") & (table.bin == 3)].iloc[0]
    spectrum = spectra.load("ipta_dr2_cp", small)
    omega = np.log10(signal.h2omega({key: best[key] for key in signal.names}, row.f_Hz))
    centre = spectra.log10_h2omega(spectrum, spectrum.quantile(0.5))[2]
    assert row[name] == pytest.approx(abs(omega - centre), abs=1e-9)


class Few(dict):
    """Fits of some pairs."""

    def model(self, dataset, name):
        return model(name)


@pytest.mark.mirror
def test_distances_on_the_full_densities(mirror):
    """Median over the five lowest bins of NANOGrav HD: slow roll beyond 6 dex, the best GB-I within half a dex."""
    asked = parameters(log2_points=12)
    names = ("gb1_log", "gb1_linear")
    few = Few({("ng15_hd", name): fits.fit(**fits.point(asked, name, ["ng15_hd"])) for name in names})
    table = spectra.offsets(few, asked)
    assert datasets.used()[0].source != "embedded"
    main = table[table.dataset == "ng15_hd"]
    assert main.sfsr.median() > 6
    assert main.gb1_log.median() < 0.5
    assert table.groupby("dataset")[["sfsr", "gb1_log"]].median().eval("sfsr - gb1_log").min() > 1


def test_every_detector_has_a_curve_with_a_best_band():
    table = spectra.sensitivities()
    assert {"LISA", "Taiji", "TianQin"} <= set(table.detector)
    assert (table.source == "analytic").all(), "no tables of noise are at hand here"
    for _, curve in table.groupby("detector"):
        assert (np.diff(curve.f_Hz) > 0).all()
        assert (curve.h2omega > 0).all()
        assert 0 < np.argmin(curve.h2omega.to_numpy()) < len(curve) - 1
    best = table.loc[table.groupby("detector").h2omega.idxmin()].set_index("detector")
    assert best.loc["LISA"].f_Hz == pytest.approx(3e-3, rel=0.7)
    assert 3e-15 < best.loc["LISA"].h2omega < 1e-13


def test_space_compares_with_standard_slow_roll(found, small):
    table = spectra.space(found, small)
    assert not table.duplicated(["model", "draws", "detector"]).any()
    assert (table["q2.5"] <= table["median"]).all() and (table["median"] <= table["q97.5"]).all()
    assert table.seen.between(0, 1).all()
    rows = table.set_index(["model", "draws", "detector"])
    for name in ("gb1_log", "gb1_linear"):
        everything, kept = rows.loc[(name, "all", "LISA")], rows.loc[(name, "bbn", "LISA")]
        assert 0 < kept.n <= everything.n <= spectra.JUDGED
        assert everything["q2.5"] > 0.5
    # Under the log-uniform prior nucleosynthesis takes the strongest away; under the other, hardly any.
    everything, kept = rows.loc[("gb1_log", "all", "LISA")], rows.loc[("gb1_log", "bbn", "LISA")]
    assert kept.n < 0.5 * everything.n
    assert kept["median"] < everything["median"]


def test_the_ratio_is_that_of_the_two_spectra(found, small):
    """One draw alone: its h^2 Omega over that of standard slow roll, where LISA reaches deepest."""
    theta = found["ng15_hd", "gb1_linear"]["draws"][:1]
    one = Few({("ng15_hd", name): {"draws": found["ng15_hd", name]["draws"][:1]} for name in ("gb1_log", "gb1_linear")})
    row = spectra.space(one, small).set_index(["model", "draws", "detector"]).loc[("gb1_linear", "all", "LISA")]
    signal, lisa = model("gb1_linear"), detector("LISA")
    best = lisa.frequencies[np.argmin(lisa.power_law_integrated())]
    assert row.f_Hz == pytest.approx(best, rel=0.1)
    values = {key: float(theta[key].iloc[0]) for key in signal.names}
    ratio = signal.h2omega(values, row.f_Hz) / model("sfsr").h2omega(spectra.STANDARD, row.f_Hz)
    assert row["median"] == pytest.approx(np.log10(ratio), abs=1e-9)
    snr = signal_to_noise(
        lisa.frequencies, signal.h2omega(values, lisa.frequencies), lisa.omega_noise, lisa.n_det, lisa.t_obs
    )
    assert row.median_snr == pytest.approx(snr, rel=0.05)


def test_nucleosynthesis_is_linear_in_r_and_judges_the_known_points(small):
    """n_T = 1.8, log10 r = -8.4: 1.1e-7 at 1 GeV, 0.026 at 1e3 GeV."""
    draws = pd.DataFrame({"n_t": [1.8] * 3, "log10_r": [-8.4, -8.4, -7.4], "log10_T_rh": [0.0, 3.0, 0.0]})
    cold, hot, stronger = spectra.nucleosynthesis(draws, small)
    assert cold == pytest.approx(1.1e-7, rel=0.1)
    assert hot == pytest.approx(0.026, rel=0.1)
    assert stronger == pytest.approx(10 * cold, rel=1e-9)
    assert cold < bbn_limit(small.delta_n_eff) < hot


def test_sources_name_the_noise_only_where_it_was_read(monkeypatch):
    FreeSpectrum.load("ng15_hd")
    assert spectra.sources(["ng15_hd"]) == ["ng15_hd"]
    noise = datasets.Resolution("sensitivity", "mirror", None, "0", "noise")
    datasets.note(noise)
    assert spectra.sources(["ng15_hd"]) == ["ng15_hd", "sensitivity"]
