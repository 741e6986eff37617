"""Posterior and evidence in few dimensions: two-stage importance sampling, and an ensemble of chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from tenfold.errors import InputError
from tenfold.pta.draws import Draws, LogLikelihood, evaluate, proposal, sobol_points, tempering
from tenfold.pta.posterior import MAX_WEIGHT, MIN_ESS, Posterior, systematic
from tenfold.pta.prior import Prior

MAX_ROUNDS = 5


def importance_sample(
    log_likelihood: LogLikelihood,
    prior: Prior | Mapping | Sequence,
    seed: int = 0,
    n_prior: int = 2**17,
    n_mixture: int = 2**17,
    components: int = 8,
    min_ess: float = MIN_ESS,
    max_weight: float = MAX_WEIGHT,
) -> Posterior:
    """Sample the posterior and measure the evidence by two-stage importance sampling.

    n1 scrambled Sobol points (a power of two) over the prior; a Student-t mixture q_mix fitted to those
    points resampled by likelihood; n2 draws from it. In unit-cube coordinates u, where the prior density is
    one, all points together come from q(u) = (n1 + n2 q_mix(u))/(n1 + n2), and
    Z = 1/(n1 + n2) sum_i L(u_i)/q(u_i),  w_i = L(u_i)/q(u_i) / sum. Draws outside the cube or the allowed
    region have zero prior; Z is normalised over the allowed volume. While the effective sample size is
    below `min_ess`, or one weight reaches `max_weight`, as many Sobol points again and another mixture, fitted to
    all points so far, join the deterministic mixture (five rounds at most; see `Posterior.ok`).

    log_likelihood: (P, D) -> (P,), -inf allowed. prior: Prior, {name: (low, high)} or a list of pairs.
    Deterministic in `seed`. Raises InputError when no point has a finite likelihood, or for NaN.
    """
    prior = Prior.of(prior)
    _check_numbers(n_prior, n_mixture, components)
    rng = np.random.default_rng(seed)
    draws = Draws(log_likelihood, prior)
    sobol = qmc.Sobol(prior.dim, scramble=True, rng=rng)
    for _ in range(MAX_ROUNDS):
        draws.add_prior(sobol_points(sobol, n_prior))
        if n_mixture:
            draws.add_mixture(proposal(draws, components, rng), n_mixture, rng)
        posterior = draws.posterior()
        if posterior.ess >= min_ess and posterior.max_weight < max_weight:
            break
    return posterior


def ensemble_sample(
    log_likelihood: LogLikelihood,
    prior: Prior | Mapping | Sequence,
    seed: int = 0,
    walkers: int = 128,
    steps: int = 3000,
) -> Posterior:
    """Sample the posterior with an affine-invariant ensemble (emcee) and differential-evolution moves.

    The cross-check of `importance_sample`: another method, the same arguments. The walkers start from prior
    points resampled by likelihood; the first quarter of the steps is left out; ess = samples / tau with tau
    the longest integrated autocorrelation time. The evidence is nan. Deterministic in `seed`.
    Raises InputError when no prior point has a finite likelihood.
    """
    import emcee

    prior = Prior.of(prior)
    rng = np.random.default_rng(seed)
    start = Draws(log_likelihood, prior)
    start.add_prior(sobol_points(qmc.Sobol(prior.dim, scramble=True, rng=rng), 2**14))
    index = start.finite()
    if len(index) < walkers:
        raise InputError(f"only {len(index)} of {2**14} prior points have a finite likelihood")
    # Tempered: a few strong points alone would start all walkers in one place.
    log_weights = start.log_weights(index)
    weights = np.exp(tempering(log_weights, 4 * walkers) * (log_weights - log_weights.max()))
    theta = prior.from_unit(start.points[index])
    first = _distinct(theta[systematic(weights, walkers, rng)], theta, rng)

    def log_posterior(rows: NDArray) -> NDArray:
        density = prior.log_density(rows)
        inside = np.isfinite(density)
        density[inside] += evaluate(log_likelihood, rows[inside])
        return density

    # gamma0 = 1 jumps between peaks. No snooker move: that of emcee 3.1 narrows a Gaussian by 5 % in sigma.
    moves = [(emcee.moves.DEMove(), 0.9), (emcee.moves.DEMove(gamma0=1.0), 0.1)]
    sampler = emcee.EnsembleSampler(walkers, prior.dim, log_posterior, moves=moves, vectorize=True)
    state = np.random.MT19937(rng.integers(2**32)).state["state"]
    sampler.random_state = ("MT19937", state["key"], state["pos"], 0, 0.0)
    sampler.run_mcmc(first, steps, skip_initial_state_check=True)
    return _from_chain(sampler, prior, steps // 4)


def _check_numbers(n_prior: int, n_mixture: int, components: int) -> None:
    if n_prior < 2 or n_mixture < 0 or components < 1:
        raise InputError(
            f"n_prior >= 2, n_mixture >= 0 and components >= 1, not {n_prior}, {n_mixture} and {components}"
        )


def _distinct(first: NDArray, others: NDArray, rng: np.random.Generator) -> NDArray:
    """Replace repeated starting points by other points of the prior: walkers on one spot cannot move."""
    _, kept = np.unique(first, axis=0, return_index=True)
    missing = len(first) - len(kept)
    return np.concatenate([first[np.sort(kept)], others[rng.choice(len(others), missing, replace=False)]])


def _from_chain(sampler, prior: Prior, burn: int) -> Posterior:
    samples = sampler.get_chain(discard=burn, flat=True)
    values = sampler.get_log_prob(discard=burn, flat=True)
    # A walker that never moved has no autocorrelation time: then nothing speaks for more than one sample each.
    with np.errstate(invalid="ignore"):
        tau = float(np.max(sampler.get_autocorr_time(discard=burn, quiet=True, tol=0)))
    tau = tau if np.isfinite(tau) else float(sampler.iteration - burn)
    return Posterior(
        names=prior.names,
        samples=samples,
        weights=np.full(len(samples), 1 / len(samples)),
        log_likelihoods=values - prior.log_density(samples),
        log_evidence=float("nan"),
        log_evidence_error=float("nan"),
        ess=len(samples) / tau,
        evaluations=sampler.iteration * sampler.nwalkers,
    )
