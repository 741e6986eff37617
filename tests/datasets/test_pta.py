"""Loaders of pulsar-timing data: embedded, mirrored, and a reader's own folder."""

import numpy as np
import pytest

from tenfold.datasets import pta, used
from tenfold.errors import InputError

SETS = {"ng15_hd": 14, "ng15_cp": 14, "epta_dr2new_hd": 9, "ppta_dr3_hd": 14, "ipta_dr2_cp": 13}


@pytest.fixture
def folder(tmp_path):
    """A reader's own free spectrum: 3 Gaussian bins of width 0.2 on a grid of step 0.01."""
    grid = np.linspace(-9.0, -5.0, 401)
    centres = np.array([-6.0, -6.5, -7.0])
    density = -0.5 * ((grid - centres[:, None]) / 0.2) ** 2 - np.log(0.2 * np.sqrt(2 * np.pi))
    np.save(tmp_path / "density.npy", density[None])
    np.save(tmp_path / "freqs.npy", np.arange(1, 4) * 2e-9)
    np.save(tmp_path / "log10rhogrid.npy", grid)
    return tmp_path


@pytest.mark.parametrize("name", SETS)
def test_embedded_quantiles(bare, name):
    data = pta.free_spectrum(name)
    assert data.resolution.kind == "embedded"
    assert data.density is None
    assert data.frequencies.shape == (SETS[name],)
    assert data.quantiles.values.shape == (SETS[name], 17)
    assert (np.diff(data.quantiles.probabilities) > 0).all()
    assert (np.diff(data.quantiles.values, axis=1) > 0).all()
    assert (np.diff(data.frequencies) > 0).all()


def test_only_what_is_embedded_works_bare(bare):
    with pytest.raises(InputError, match="sim51: no mirror"):
        pta.free_spectrum("sim51")
    with pytest.raises(InputError, match="sensitivity: no mirror"):
        pta.sensitivity("LISA")
    assert pta.sensitivity("LISA", missing_ok=True) is None
    assert pta.binned_sensitivity("LISA", missing_ok=True) is None
    assert ("sensitivity", "absent") in {(item.name, item.source) for item in used()}


def test_embedded_degrees_of_freedom(bare):
    """45 nodes with today's values at the cold end and the Standard Model's 106.75 nearly at the hot end."""
    nodes = pta.degrees_of_freedom()
    assert nodes.log_interpolation
    assert nodes.T_GeV.shape == nodes.f_Hz.shape == nodes.g_s.shape == nodes.g_rho.shape == (45,)
    assert nodes.g_rho[0] == pytest.approx(3.383, abs=5e-4)
    assert nodes.g_s[0] == pytest.approx(3.931, abs=5e-4)
    assert nodes.g_rho.max() == pytest.approx(106.75, rel=0.025)


@pytest.mark.mirror
def test_embedded_nodes_follow_the_full_table(mirror, monkeypatch):
    table = pta.degrees_of_freedom()
    assert not table.log_interpolation
    assert table.T_GeV.shape == (528,)
    monkeypatch.setenv("TENFOLD_MIRROR", "none")
    monkeypatch.setenv("TENFOLD_CACHE", "none")
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    nodes = pta.degrees_of_freedom()
    for attribute in ("g_s", "g_rho"):
        rough = np.interp(np.log(table.T_GeV), np.log(nodes.T_GeV), getattr(nodes, attribute))
        np.testing.assert_allclose(rough, getattr(table, attribute), rtol=0.007)


@pytest.mark.mirror
@pytest.mark.parametrize("name", SETS)
def test_embedded_quantiles_follow_the_densities(mirror, monkeypatch, name):
    """Quantiles of the mirrored density agree within grid step and rounding; frequencies are equal."""
    full = pta.free_spectrum(name)
    monkeypatch.setenv("TENFOLD_MIRROR", "none")
    monkeypatch.setenv("TENFOLD_CACHE", "none")
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    small = pta.free_spectrum(name)
    np.testing.assert_array_equal(small.frequencies, full.frequencies[: SETS[name]])
    step = np.diff(full.log10_rho_grid).mean()
    for row, density in zip(small.quantiles.values, full.density, strict=False):
        mass = np.exp(density)
        cumulative = np.cumsum(mass) / mass.sum()
        found = np.interp(small.quantiles.probabilities, cumulative, full.log10_rho_grid)
        np.testing.assert_allclose(row, found, atol=step + 0.004)


@pytest.mark.mirror
@pytest.mark.parametrize("name", [*SETS, "ng15_hd_dmgp", "ng15_hdmpdp", "sim51"])
def test_mirrored_density_is_normalised(mirror, name):
    data = pta.free_spectrum(name)
    step = np.diff(data.log10_rho_grid).mean()
    assert data.density.shape == (data.frequencies.size, data.log10_rho_grid.size)
    np.testing.assert_allclose(np.exp(data.density).sum(axis=1) * step, 1.0, atol=0.011)


@pytest.mark.mirror
def test_mirrored_frequencies_are_harmonics(mirror):
    """All arrays but IPTA DR2, whose 30 frequencies are evenly spaced from 1/T to 31/T."""
    for name in SETS:
        frequencies = pta.free_spectrum(name).frequencies
        ends = (1, 31) if name == "ipta_dr2_cp" else (1, frequencies.size)
        expected = frequencies[0] * np.linspace(*ends, frequencies.size)
        np.testing.assert_allclose(frequencies, expected, rtol=1e-12)


@pytest.mark.mirror
def test_mirrored_curves(mirror):
    for detector in pta.NOISE_FILES:
        curve = pta.sensitivity(detector)
        assert curve.frequency_Hz.shape == curve.value.shape
        assert (curve.value > 0).all()
        assert curve.kind == ("h_c" if detector == "SKA" else "strain_psd")
    for detector in pta.BINNED_FILES:
        assert (pta.binned_sensitivity(detector).value > 0).all()


@pytest.mark.mirror
def test_surplus_values_of_the_lisa_curve_are_cut(mirror):
    """The curve without foregrounds keeps its 8 frequencies, and equals the other where those are weak."""
    without, with_them = (pta.binned_sensitivity("LISA", foregrounds=flag) for flag in (False, True))
    assert without.value.shape == without.frequency_Hz.shape == (8,)
    np.testing.assert_allclose(without.frequency_Hz, with_them.frequency_Hz)
    assert (without.value <= with_them.value * 1.001).all()


@pytest.mark.mirror
def test_injection(mirror):
    assert pta.injection("sim51") == (-14.6985, 4.1727)


def test_names_are_checked():
    with pytest.raises(InputError, match="unknown detector 'LIS'; did you mean 'LISA'"):
        pta.sensitivity("LIS")
    with pytest.raises(InputError, match="unknown detector"):
        pta.binned_sensitivity("CE")
    with pytest.raises(InputError, match="no binned curve of ET with foregrounds"):
        pta.binned_sensitivity("ET", foregrounds=True)
    with pytest.raises(InputError, match="no binned curve of LiteBIRD without foregrounds"):
        pta.binned_sensitivity("LiteBIRD", foregrounds=False)
    with pytest.raises(InputError, match="unknown free spectrum 'ng15'; did you mean 'ng15_"):
        pta.free_spectrum("ng15")
    with pytest.raises(InputError, match="unknown free spectrum 'g_star'"):
        pta.free_spectrum("g_star")
    with pytest.raises(InputError, match="unknown simulated spectrum 'ng15_hd'"):
        pta.injection("ng15_hd")


def test_own_folder(folder):
    data = pta.free_spectrum(folder)
    assert data.density.shape == (3, 401)
    assert data.resolution.kind == "real"
    assert data.resolution == pta.free_spectrum(str(folder)).resolution
    np.save(folder / "density.npy", data.density)
    assert pta.free_spectrum(folder).density.shape == (3, 401)
    assert pta.free_spectrum(folder).resolution.digest != data.resolution.digest


def test_unestimated_densities_pass_as_nan(folder):
    density = np.load(folder / "density.npy")
    density[0, 1, 5] = np.nan
    np.save(folder / "density.npy", density)
    assert np.isnan(pta.free_spectrum(folder).density[1, 5])


def bad(file, values):
    def spoil(folder):
        np.save(folder / file, values)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (bad("density.npy", np.zeros((1, 2, 401))), r"has shape \(2, 401\)"),
        (bad("density.npy", np.zeros((3, 400))), r"has shape \(3, 400\)"),
        (bad("density.npy", np.full((3, 401), np.inf)), "infinite"),
        (bad("density.npy", np.zeros((3, 401), complex)), "complex128"),
        (bad("density.npy", np.array([{"a": 1}])), "cannot be read"),
        (bad("freqs.npy", np.array([1e-9, np.nan, 3e-9])), "frequencies must be"),
        (bad("freqs.npy", np.array([3e-9, 2e-9, 1e-9])), "increasing"),
        (bad("freqs.npy", np.array([-1e-9, 2e-9, 3e-9])), "positive"),
        (bad("freqs.npy", np.ones((3, 1))), "frequencies"),
        (bad("log10rhogrid.npy", np.linspace(-3, -1.7, 401) ** 3), "evenly spaced"),
        (lambda folder: (folder / "freqs.npy").write_bytes(b"no numbers"), r"freqs\.npy cannot be read"),
        (lambda folder: (folder / "density.npy").write_bytes(b""), r"density\.npy cannot be read"),
        (lambda folder: (folder / "freqs.npy").unlink(), r"holds no freqs\.npy"),
    ],
)
def test_bad_folder_is_one_clear_line(folder, spoil, words):
    spoil(folder)
    with pytest.raises(InputError, match=words) as caught:
        pta.free_spectrum(folder)
    assert "\n" not in str(caught.value)


def test_truncated_array_is_one_clear_line(folder):
    path = folder / "density.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"density\.npy cannot be read") as caught:
        pta.free_spectrum(folder)
    assert "\n" not in str(caught.value)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        pta.free_spectrum(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no folder"):
        pta.free_spectrum(str(tmp_path / "nowhere"))
