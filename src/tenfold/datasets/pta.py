"""Pulsar-timing data: free spectra, degrees of freedom, detector noise curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tenfold.datasets.arrays import check_increasing, columns, read_json, read_npy, read_npz, read_text
from tenfold.datasets.provenance import Resolution
from tenfold.datasets.registry import dataset, datasets
from tenfold.datasets.resolution import local, resolve
from tenfold.errors import InputError, unknown

DENSITY_FILES = ("density.npy", "freqs.npy", "log10rhogrid.npy")

# Detector -> file; the SKA file holds a characteristic strain, the others a strain noise PSD.
NOISE_FILES = {
    "BBO": "S_h_BBO_STAR.npz",
    "CE": "S_h_CE.npz",
    "DECIGO": "S_h_DECIGO.npz",
    "ET": "S_h_ET.npz",
    "LISA": "S_h_LISA_xcosmo.npz",
    "SKA": "hc_SKA.npz",
    "aLIGO": "S_h_aLIGO.npz",
    "muAres": "S_h_muAres_nofgs.npz",
}

# Detector -> file without and with astrophysical foregrounds.
BINNED_FILES = {
    "BBO": ("Binned_Omega_BBO_nofgs.npz", None),
    "DECIGO": ("Binned_Omega_DECIGO_nofgs.npz", None),
    "ET": ("Binned_Omega_ET_nofgs.npz", None),
    "LISA": ("Binned_Omega_LISA_nofgs.npz", "Binned_Omega_LISA_fgs.npz"),
    "LiteBIRD": (None, "Binned_Omega_LiteBIRD_fgs.npz"),
    "SKA": ("Binned_Omega_SKA_nofgs.npz", None),
    "aLIGO": ("Binned_Omega_aLIGO.npz", None),
    "muAres": ("Binned_Omega_muAres_nofgs.npz", None),
}


class Quantiles(NamedTuple):
    """Quantiles of log10(rho / s): probabilities (Q,) and values (bins, Q), both increasing along Q."""

    probabilities: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class FreeSpectrumData:
    """A free spectrum: ln density of log10(rho / s) on a grid (bins, grid), or its quantiles.

    Frequencies (bins,) are in Hz; the grid (grid,) is evenly spaced. NaN marks a density that its
    authors did not estimate.
    """

    name: str
    frequencies: np.ndarray
    log10_rho_grid: np.ndarray | None
    density: np.ndarray | None
    quantiles: Quantiles | None
    resolution: Resolution


@dataclass(frozen=True)
class GStar:
    """Effective degrees of freedom (nodes,) of entropy and energy density, at T in GeV and f in Hz today.

    `log_interpolation` says in which abscissa the nodes are meant to be joined by straight lines.
    """

    T_GeV: np.ndarray
    f_Hz: np.ndarray
    g_s: np.ndarray
    g_rho: np.ndarray
    log_interpolation: bool
    resolution: Resolution


@dataclass(frozen=True)
class SensitivityData:
    """A noise curve (points,): kind "strain_psd" in 1/Hz, "h_c" or "h2omega" without a unit."""

    detector: str
    frequency_Hz: np.ndarray
    value: np.ndarray
    kind: str
    resolution: Resolution


def free_spectrum(name_or_path: str | Path) -> FreeSpectrumData:
    """Load a registered free spectrum, or a folder with density.npy, freqs.npy and log10rhogrid.npy.

    The folder holds ln p(log10 rho) of shape (1, bins, grid) or (bins, grid), frequencies in Hz and the
    evenly spaced grid of log10(rho / s). Raises `InputError` for unknown names and wrong shapes or values.
    """
    name = str(name_or_path)
    spectra = _spectra()
    if name in spectra:
        resolution = resolve(name)
        return _from_quantiles(resolution) if resolution.source == "embedded" else _from_density(resolution)
    folder = Path(name_or_path)
    if not folder.is_dir():
        if isinstance(name_or_path, Path) or len(folder.parts) > 1:
            raise InputError(f"no folder {folder}: a free spectrum is a name or a folder")
        raise unknown("free spectrum", name, spectra)
    for file in DENSITY_FILES:
        if not (folder / file).is_file():
            raise InputError(f"{folder} holds no {file}; a free spectrum needs {', '.join(DENSITY_FILES)}")
    return _from_density(local(folder))


def degrees_of_freedom() -> GStar:
    """Load g_s and g_rho against temperature: the full table, or its 45 embedded nodes (Saikawa, Shirai)."""
    resolution = resolve("g_star")
    embedded = resolution.source == "embedded"
    path = _path(resolution, "g_star.dat")
    if embedded:
        log_T, log_f, g_rho, g_s = columns(path, read_json(path)["nodes"])
        T, f = 10.0**log_T, 10.0**log_f
    else:
        T, f, g_s, g_rho = columns(path, read_text(path))
    check_increasing(T, path, "temperatures")
    check_increasing(f, path, "frequencies")
    return GStar(T, f, g_s, g_rho, embedded, resolution)


def sensitivity(detector: str, *, missing_ok: bool = False) -> SensitivityData | None:
    """Load the noise curve of a detector; None with `missing_ok` when there are no curves at hand."""
    if detector not in NOISE_FILES:
        raise unknown("detector", detector, NOISE_FILES)
    kind = "h_c" if detector == "SKA" else "strain_psd"
    return _curve(detector, NOISE_FILES[detector], kind, missing_ok)


def binned_sensitivity(
    detector: str, *, foregrounds: bool | None = None, missing_ok: bool = False
) -> SensitivityData | None:
    """Load the h^2 Omega detectable per bin; `foregrounds` None prefers the curve without them."""
    if detector not in BINNED_FILES:
        raise unknown("detector", detector, BINNED_FILES)
    without, with_them = BINNED_FILES[detector]
    file = without or with_them if foregrounds is None else (without, with_them)[foregrounds]
    if file is None:
        raise InputError(f"no binned curve of {detector} {'with' if foregrounds else 'without'} foregrounds")
    return _curve(detector, file, "h2omega", missing_ok)


def injection(name: str = "sim51") -> tuple[float, float]:
    """Return the injected (log10 A, gamma) of a simulated free spectrum."""
    simulated = [item for item in _spectra() if _has_injection(item)]
    if name not in simulated:
        raise unknown("simulated spectrum", name, simulated)
    path = _path(resolve(name), "injected_values.txt")
    values = read_text(path).ravel()
    if values.shape != (2,) or not np.isfinite(values).all():
        raise InputError(f"{path} must hold two finite numbers, log10 A and gamma")
    return float(values[0]), float(values[1])


def _spectra() -> list[str]:
    """Names of the registered free spectra: those that have a density."""
    return [name for name, data in datasets().items() if "density.npy" in {file.name for file in data.files}]


def _has_injection(name: str) -> bool:
    return "injected_values.txt" in {file.name for file in dataset(name).files}


def _path(resolution: Resolution, name: str) -> Path:
    """Return the file `name` of a resolution, or the embedded file that stands for it."""
    embedded = dataset(resolution.name).embedded
    if resolution.source == "embedded" and embedded:
        name = embedded.name
    return resolution.folder / name


def _from_density(resolution: Resolution) -> FreeSpectrumData:
    density, frequencies, grid = (read_npy(resolution.folder / file) for file in DENSITY_FILES)
    if density.ndim == 3 and density.shape[0] == 1:
        density = density[0]
    folder = resolution.folder
    if frequencies.ndim != 1 or grid.ndim != 1 or density.shape != (frequencies.size, grid.size):
        raise InputError(
            f"{folder / 'density.npy'} has shape {density.shape}, but {frequencies.shape} frequencies"
            f" and {grid.shape} grid points come with it"
        )
    if np.isposinf(density).any():
        raise InputError(f"{folder / 'density.npy'} holds infinite densities")
    check_increasing(frequencies, folder / "freqs.npy", "frequencies", positive=True)
    check_increasing(grid, folder / "log10rhogrid.npy", "grid points")
    steps = np.diff(grid)
    # The likelihood finds the grid point by arithmetic, which a grid of unequal steps would defeat.
    if np.ptp(steps) > 1e-6 * steps.mean():
        raise InputError(f"{folder / 'log10rhogrid.npy'} is not evenly spaced")
    return FreeSpectrumData(resolution.name, frequencies, grid, density, None, resolution)


def _from_quantiles(resolution: Resolution) -> FreeSpectrumData:
    path = _path(resolution, "density.npy")
    table = read_json(path)
    entry = table["sets"][resolution.name]
    quantiles = Quantiles(np.array(table["probabilities"]), np.array(entry["bins"]))
    frequencies = np.array(entry["frequencies_hz"])
    return FreeSpectrumData(resolution.name, frequencies, None, None, quantiles, resolution)


def _curve(detector: str, file: str, kind: str, missing_ok: bool) -> SensitivityData | None:
    resolution = resolve("sensitivity", missing_ok=missing_ok)
    if resolution.source == "absent":
        return None
    path = resolution.folder / file
    x, y = read_npz(path)
    if file == "Binned_Omega_LISA_nofgs.npz":
        # Published with 8 frequencies and 11 values; the first 8 belong to them.
        y = y[: x.size]
    if x.shape != y.shape:
        raise InputError(f"{path} holds {x.size} frequencies but {y.size} values")
    check_increasing(x, path, "frequencies", positive=True)
    return SensitivityData(detector, x, y, kind, resolution)
