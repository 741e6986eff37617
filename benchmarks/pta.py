"""Speed of the free-spectrum likelihood and of the sampler, beside ceffyl where it is installed.

    OMP_NUM_THREADS=1 python benchmarks/pta.py

Likelihood: batches of 100,000 prior points, NANOGrav 15 yr HD, 14 bins, spectrum included, one thread. The
ratio compares with ceffyl's own scalar likelihood in the same run; a line without it means no ceffyl here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from stopwatch import best_time
from tenfold.pta import FreeSpectrum, importance_sample, joint_log_likelihood, model
from tenfold.pta.spectrum import igw_h2omega, rho2_per_h2omega

BATCH = 100_000
SCALAR_CALLS = 2_000


def ceffyl_likelihood(spectrum: FreeSpectrum, name: str) -> Callable[[np.ndarray], float] | None:
    """Return ceffyl's ln L of one parameter vector, or None where the package or its files are missing."""
    try:
        from ceffyl import Ceffyl
        from enterprise.signals.parameter import Uniform
    except ImportError:
        return None
    folder = spectrum.resolution.folder
    if not all((folder / file).is_file() for file in ("density.npy", "pulsar_list.txt", "log10rholabels.txt")):
        return None

    def waves(f, Tspan, n_t, log10_r, log10_T_rh):
        f = f[:, 0]
        return (igw_h2omega(f, n_t[0], log10_r[0], log10_T_rh[0]) * rho2_per_h2omega(f, Tspan))[:, None]

    data = Ceffyl.ceffyl(str(folder))
    options = {}
    if name == "igw":
        bounds = model("igw").prior.bounds()
        options = {"psd": waves, "params": [Uniform(*pair)(key) for key, pair in bounds.items()]}
    data.add_signals([Ceffyl.signal(N_freqs=spectrum.bins, **options)])
    return data.ln_likelihood


def compare_likelihoods(spectrum: FreeSpectrum) -> None:
    """Print evaluations per second of the power law and of inflationary waves."""
    for name in ("power_law", "igw"):
        kind = model(name)
        theta = kind.prior.from_unit(np.random.default_rng(0).random((BATCH, kind.prior.dim)))
        ours = BATCH / best_time(lambda kind=kind, theta=theta: kind.log_likelihood(theta, spectrum))
        line = f"{name:10s} {ours:12,.0f} /s"
        if theirs := ceffyl_likelihood(spectrum, name):
            few = theta[:SCALAR_CALLS]
            rate = SCALAR_CALLS / best_time(lambda f=theirs, few=few: [f(row) for row in few], 3)
            line += f"   ceffyl {rate:9,.0f} /s   ratio {ours / rate:6.0f}"
        print(line)


def time_sampler(spectrum: FreeSpectrum) -> None:
    """Print seconds, effective samples and evidence of the two-stage sampler for several models."""
    for name in ("power_law", "igw", "gb1_log", "gb1_linear"):
        kind = model(name)
        log_likelihood = joint_log_likelihood(kind, spectrum)
        importance_sample(log_likelihood, kind.prior, 0, 2**10, 2**10)  # imports and first touches
        start = time.perf_counter()
        p = importance_sample(log_likelihood, kind.prior, 0)
        seconds = time.perf_counter() - start
        evidence = f"ln Z {p.log_evidence:9.4f} +- {p.log_evidence_error:.4f}"
        print(f"{name:10s} {seconds:6.2f} s   ESS {p.ess:9,.0f}   {p.evaluations:9,d} calls   {evidence}")


if __name__ == "__main__":
    nanograv = FreeSpectrum.load("ng15_hd", bins=14)
    print(f"{nanograv.name} ({nanograv.resolution.kind}), {nanograv.bins} bins, batches of {BATCH:,}")
    compare_likelihoods(nanograv)
    time_sampler(nanograv)
