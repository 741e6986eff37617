"""A model: a spectrum with a name, a prior and derived quantities, and its likelihood on free spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError, unknown
from tenfold.pta.families import BUILDERS, OPTIONS, Power, Quantities
from tenfold.pta.likelihood import BLOCK_ROWS, FreeSpectrum
from tenfold.pta.prior import Prior
from tenfold.pta.spectrum import rho2_per_h2omega

Theta = ArrayLike | Mapping[str, ArrayLike]


@dataclass(frozen=True, eq=False)
class Model:
    """A spectrum rho^2(f; theta) with its prior: name, title, prior, derived quantities.

    Parameters theta are (P, D) arrays, one point (D,), or a mapping of names to scalars or (P,) arrays;
    axes of scalars are dropped from every result. Points outside the allowed region have ln L = -inf.
    """

    name: str
    title: str
    prior: Prior
    log10_power: Power
    quantities: Quantities

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.prior.names

    def log10_rho(self, theta: Theta, spectrum: FreeSpectrum) -> NDArray:
        """Return log10(rho/s) = log10(rho^2)/2 at the bins of a free spectrum: (P, bins)."""
        rows, single = self.rows(theta)
        values = 0.5 * self.log10_power(rows, spectrum.frequencies, spectrum.t_span)
        return values[0] if single else values

    def h2omega(self, theta: Theta, f_Hz: ArrayLike) -> NDArray | float:
        """Return h^2 Omega at frequencies (F,) in Hz: (P, F). NaN outside the allowed region, inf beyond a float."""
        rows, single = self.rows(theta)
        frequencies = np.atleast_1d(np.asarray(f_Hz, float))
        # Any span drops out of rho^2 / (rho^2 per h^2 Omega).
        log10_h2omega = self.log10_power(rows, frequencies, 1.0) - np.log10(rho2_per_h2omega(frequencies, 1.0))
        with np.errstate(over="ignore"):
            values = 10.0**log10_h2omega
        values = values[:, 0] if np.ndim(f_Hz) == 0 else values
        return values[0] if single else values

    def derived(self, theta: Theta) -> dict[str, NDArray | float]:
        """Return what follows from the parameters, each (P,): n_s, n_t, r, ... where the model has them."""
        rows, single = self.rows(theta)
        return {key: value[0] if single else value for key, value in self.quantities(rows).items()}

    def log_likelihood(self, theta: Theta, spectra: FreeSpectrum | Iterable[FreeSpectrum]) -> NDArray | float:
        """Return ln L(theta) (P,), summed over the spectra: in blocks of rows that stay in the L2 cache."""
        rows, single = self.rows(theta)
        spectra = as_spectra(spectra)
        out = np.empty(len(rows))
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            out[start : start + BLOCK_ROWS] = sum(s.log_likelihood(self.log10_rho(block, s)) for s in spectra)
        out[~self.prior.is_allowed(rows)] = -np.inf
        return float(out[0]) if single else out

    def with_prior(self, **bounds: tuple[float, float]) -> Model:
        """Return the model with other uniform bounds, e.g. `with_prior(n=(0, 10))`; InputError for others."""
        return replace(self, prior=self.prior.with_bounds(**bounds))

    def rows(self, theta: Theta) -> tuple[NDArray, bool]:
        """Return parameters as rows (P, D), and whether they were one point; InputError for a wrong shape."""
        if isinstance(theta, Mapping):
            for name in theta:
                if name not in self.names:
                    raise unknown("parameter", name, self.names)
            if missing := [name for name in self.names if name not in theta]:
                raise InputError(f"model '{self.name}' also needs {', '.join(missing)}")
            columns = np.broadcast_arrays(*(np.asarray(theta[name], float) for name in self.names))
            theta = np.stack(columns, axis=-1)
        rows = np.asarray(theta, float)
        if rows.ndim not in (1, 2) or rows.shape[-1] != self.prior.dim:
            raise InputError(
                f"parameters of shape {rows.shape}; '{self.name}' takes (P, {self.prior.dim}): {', '.join(self.names)}"
            )
        return np.atleast_2d(rows), rows.ndim == 1


def joint_log_likelihood(
    model: Model | str, spectra: FreeSpectrum | Iterable[FreeSpectrum]
) -> Callable[[Theta], NDArray | float]:
    """Return theta (P, D) -> ln L (P,), the sum over free spectra taken as independent.

    Arrays that share pulsars are not independent: their sum counts those pulsars more than once.
    """
    model = as_model(model)
    spectra = as_spectra(spectra)
    return lambda theta: model.log_likelihood(theta, spectra)


def as_spectra(spectra: FreeSpectrum | Iterable[FreeSpectrum]) -> tuple[FreeSpectrum, ...]:
    """Return one free spectrum or several as a tuple; InputError for none."""
    spectra = (spectra,) if isinstance(spectra, FreeSpectrum) else tuple(spectra)
    if not spectra:
        raise InputError("a likelihood needs at least one free spectrum")
    return spectra


def as_model(model_or_name: Model | str) -> Model:
    """Return a model from a model or its name."""
    return model_or_name if isinstance(model_or_name, Model) else model(model_or_name)


def model(name: str, **options: Any) -> Model:
    """Return the model `name`; InputError with the nearest name for an unknown one.

    options: transfer="ptarcade" | "kuroyanagi" for the inflationary models, end_rule="formal" | "abs_eps1"
    for gb1_log and gb1_linear, array="ng15" | "ipta_dr2" for smbhb and igw_smbhb.
    """
    if name not in BUILDERS:
        raise unknown("model", name, BUILDERS)
    title, build, accepted = BUILDERS[name]
    for option, value in options.items():
        if option not in accepted:
            raise unknown(f"option of model '{name}'", option, accepted)
        if value not in OPTIONS[option]:
            raise unknown(option, value, OPTIONS[option])
    return Model(name, title, *build(**options))


def model_names() -> tuple[str, ...]:
    """Return the names of all models."""
    return tuple(BUILDERS)
