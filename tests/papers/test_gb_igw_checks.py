"""Cross-checks: known numbers, independent integrations, pairs that belong together, choices that matter."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from tenfold import datasets, project, pta
from tenfold.errors import InputError
from tenfold.papers.gb_igw import checks, exponent, fits, slowroll
from tenfold.pta.background import monomial_attractor

from .conftest import embedded, parameters

# The sign of the exponent


def test_both_halves_of_the_prior_are_paired_by_array_and_seed():
    """Evidences that tell which fit they come from: 100 a dataset, 10 a half, 1 a seed."""
    asked = parameters(arrays="ng15_hd,epta_dr2new_hd", replicates=3)
    points = exponent.replicate_points(asked)
    assert len(points) == 2 * 2 * 3

    def value(point):
        array, half = asked.arrays.index(point["datasets"][0]), point["bounds"]["n"][1] <= 0
        return 100.0 * array + 10 * half * (1 + array) + 0.1 * point["seed"] * half

    table = exponent.sign_of_n(asked, [{"summary": {"log_evidence": value(point)}} for point in points])
    assert table[["dataset", "seed"]].to_numpy().tolist() == [[d, s] for d in asked.arrays for s in range(3)]
    assert table.ln_bayes_factor.to_list() == pytest.approx([10, 10.1, 10.2, 20, 20.1, 20.2])
    assert table.bounded.to_list() == [exponent.DECISIVE] * 6


def test_small_bayes_factors_are_not_bounded():
    asked = parameters(replicates=3)
    found = [{"summary": {"log_evidence": float(k)}} for k in (1, 2, 30, 0, 4, 0)]
    table = exponent.sign_of_n(asked, found)
    assert table.ln_bayes_factor.to_list() == [1, -2, 30]
    assert table.bounded.to_list() == [1, -2, 10]


def test_a_missing_fit_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        exponent.sign_of_n(parameters(), [{"summary": {"log_evidence": 0.0}}])


def test_halves_do_not_overlap_and_seeds_follow_the_parameters():
    points = exponent.replicate_points(parameters(replicates=2))
    assert [point["bounds"]["n"] for point in points] == [[-200.0, 0.0]] * 2 + [[0.0, 10.0]] * 2
    assert [point["seed"] for point in points] == [0, 1, 0, 1]
    assert {point["name"] for point in points} == {"gb1_log"}


def test_the_data_reject_a_positive_exponent():
    asked = parameters(log2_points=11, replicates=1)
    found = [fits.fit(**point) for point in exponent.replicate_points(asked)]
    (factor,) = exponent.sign_of_n(asked, found).ln_bayes_factor
    assert factor > 10


# Closed forms


def test_closed_forms_are_the_engines():
    table = slowroll.identity_residuals(0)
    assert len(table) == 25 * 2 * 3
    assert (table.residual.abs() < 1e-8).all()
    assert (table.without_coupling > 0.1).all(), "without the coupling r would be -8 n_T"
    assert set(table.model) == {"gb1", "gb2"}


def test_other_seeds_try_other_points():
    first, second = slowroll.identity_residuals(0), slowroll.identity_residuals(1)
    assert not np.isclose(first.closed, second.closed).any()
    pd.testing.assert_frame_equal(first, slowroll.identity_residuals(0), check_exact=True)


def test_a_wrong_closed_form_would_be_seen(monkeypatch):
    def wrong(n, efolds, alpha):
        n_s, n_t, r = pta.gb_monomial(n, efolds, alpha)
        return n_s, n_t * (1 + 1e-6), r

    monkeypatch.setattr(slowroll, "gb_monomial", wrong)
    table = slowroll.identity_residuals(0)
    assert (table[(table.model == "gb1") & (table.quantity == "n_t")].residual.abs() > 1e-8).all()


# Exact backgrounds


@pytest.fixture(scope="module")
def exact():
    return slowroll.background(n=2.0)


def test_exact_inflation_lasts_as_long_as_it_should(exact):
    ends = exact["ends"].set_index("alpha")
    assert ends.loc[0.0].efolds == pytest.approx(76.09, abs=5e-3)
    assert ends.loc[-0.5].efolds == pytest.approx(75.33, abs=5e-3)
    assert ends.ended.to_dict() == {0.0: True, -0.5: True, 0.5: False}
    assert "does not end" in ends.loc[0.5].reason


def test_slow_roll_is_off_by_about_a_per_cent_sixty_efolds_before_the_end(exact):
    for alpha, part in exact["curves"].groupby("alpha"):
        tilt, slow = (np.interp(60, part.N, part[name]) for name in ("exact", "slow_roll"))
        assert tilt == pytest.approx({0.0: -0.01673, -0.5: -0.01666}[alpha], abs=6e-6)
        assert slow == pytest.approx(-4 / 242, abs=1e-6)
    free = exact["curves"][exact["curves"].alpha == 0]
    error = np.interp(60, free.N, free.exact / free.slow_roll) - 1
    assert error == pytest.approx(0.012, abs=2e-4)


def test_backgrounds_count_as_made_from_equations_alone(exact):
    slowroll.attractor(alphas=(1.5,))
    (used,) = [item for item in datasets.used() if item.name == "equations"]
    assert used.source == "synthetic"


def cosmic(n, alpha, efolds, marks):
    """Return -2 eps_H at e-folds `marks` since the start, from the equations in cosmic time by LSODA.

    6H^2 = v^2 + 2V + 24 xi' v H^3, v = dphi/dt, and, linear in dv/dt and dH/dt,
    2 H' - 8 xi' v H H' - 4 xi' H^2 v' = -v^2 + 4 xi'' v^2 H^2 - 4 xi' v H^3,
    v' + 12 xi' H^2 H' = -3 H v - V' - 12 xi' H^4.
    """
    start = np.sqrt(2 * n * (1 - alpha) * (efolds + n / 4))
    strength = 0.75 * alpha

    def functions(phi):
        ratio = phi / start
        V, xi = ratio**n, strength * ratio**-n
        return V, n * V / phi, -n * xi / phi, n * (n + 1) * xi / phi**2

    def rates(_, y):
        phi, v, H, _n = y
        _, dV, dxi, d2xi = functions(phi)
        matrix = [[-4 * dxi * H**2, 2 - 8 * dxi * v * H], [1, 12 * dxi * H**2]]
        right = [-(v**2) + 4 * d2xi * v**2 * H**2 - 4 * dxi * v * H**3, -3 * H * v - dV - 12 * dxi * H**4]
        dv, dH = np.linalg.solve(matrix, right)
        return [v, dv, dH, H]

    V, dV, dxi, _ = functions(start)
    u = -(dV / V + 4 / 3 * dxi * V)  # slow roll in e-folds: dphi/dn = -Q
    # The root for H^2 that is V/3-like: 24 xi' u h^2 - (6 - u^2) h + 2V = 0.
    roots = np.roots([24 * dxi * u, -(6 - u**2), 2 * V])
    H = np.sqrt(min(roots[roots > 0].real))
    events = [lambda _, y, mark=mark: y[3] - mark for mark in marks]
    end = lambda _, y: y[3] - marks[-1] - 0.1  # noqa: E731
    end.terminal = True
    options = {"method": "LSODA", "rtol": 1e-11, "atol": 1e-13, "events": [*events, end]}
    run = solve_ivp(rates, (0, 1e6), [start, u * H, H, 0.0], **options)
    states = [found[0] for found in run.y_events[:-1]]
    return np.array([2 * rates(0, y)[2] / y[2] ** 2 for y in states])


@pytest.mark.parametrize("alpha", [1.1, 1.5, 2.0])
def test_blue_tilts_by_an_independent_integration_in_cosmic_time(alpha):
    rows = slowroll.attractor(alphas=(alpha,)).iloc[[20, 70, 120, 140, 160, 180]]
    assert rows.since.iloc[0] < 0.05 and rows.since.iloc[-1] > 2
    assert rows.exact.to_numpy() == pytest.approx(cosmic(-62.0, alpha, 60.0, rows.since.to_list()), abs=1e-6)


def test_the_tilt_after_ten_efolds_by_an_independent_integration():
    (found,) = slowroll.validity(slowroll.attractor(alphas=(1.5,))).exact
    assert found == pytest.approx(cosmic(-62.0, 1.5, 60.0, [10.0])[0], abs=1e-4)


def test_blue_tilts_creep_up_to_the_attractor_far_below_the_closed_form():
    table = slowroll.attractor()
    for alpha, part in table.groupby("alpha"):
        limit = part.limit.iloc[0]
        assert limit == pytest.approx(-2 * monomial_attractor(alpha))
        assert part.closed_form.iloc[0] == pytest.approx(0.696629, abs=1e-6)
        late = part[part.since > 10]
        assert late.exact.is_monotonic_increasing and late.exact.iloc[-1] < limit
        assert limit < 0.7 * part.closed_form.iloc[0]
        assert part.since.is_monotonic_increasing


def test_validity_reads_the_tilt_after_ten_efolds():
    rows = [
        {"alpha": alpha, "since": since, "exact": tilt + since / 100, "closed_form": 0.7}
        for alpha, tilt in ((1.1, 0.2), (2.0, 0.4))
        for since in (1.0, 9.0, 11.0, 20.0)
    ]
    found = slowroll.validity(pd.DataFrame(rows)).set_index("alpha")
    assert found.exact.to_dict() == pytest.approx({1.1: 0.3, 2.0: 0.5})
    assert (found.closed_form == 0.7).all() and (found.after == 10).all()


def test_delta1_is_that_of_the_slow_roll_engine():
    """delta_1 = 4 xidot H = 2 alpha eps_1 = -alpha n_T, far from small where n_T is blue."""
    found = slowroll.validity(slowroll.attractor(alphas=(1.5,))).iloc[0]
    phi = np.sqrt(2 * -62.0 * (1 - 1.5) * (60 - 62 / 4))
    engine = pta.slow_roll(lambda x: x**-62.0, lambda x: 0.75 * 1.5 * x**62.0, phi)
    assert found.delta1 == pytest.approx(float(engine.delta1), rel=1e-6)
    assert abs(found.delta1) > 0.5


# Samplers and data


def test_two_samplers_agree():
    importance = fits.fit(**fits.point(parameters(log2_points=12), "power_law", ["ng15_hd"]))
    ensemble = checks.chain("ng15_hd", "power_law", 0, 0, 300)
    table = checks.sampler_check(importance, ensemble, ("log10_A", "gamma"))
    assert list(table.quantity) == ["log10_A", "gamma"]
    assert (table.difference.abs() < 5 * table.emcee_error).all()
    assert (table.emcee_error < 0.2).all()


def test_differences_are_told_in_half_widths():
    row = {"quantity": "n_t", "q16": 1.0, "median": 2.0, "q84": 5.0}
    left = {"quantiles": pd.DataFrame([row])}
    right = {"quantiles": pd.DataFrame([row | {"median": 3.0}]), "ess": 100.0}
    (found,) = checks.sampler_check(left, right, ("n_t",)).itertuples()
    assert (found.half_width, found.difference, found.emcee_error) == (2.0, 0.5, 0.125)


def test_leaving_out_asks_for_each_bin_once():
    points = checks.leave_one_out_points(parameters(bins=6, log2_points=18))
    assert [point["drop"] for point in points] == list(range(7))
    assert {point["bins"] for point in points} == {6}
    assert {point["points"] for point in points} == {15}, "more would only cost time"
    assert {point["points"] for point in checks.leave_one_out_points(parameters(log2_points=10))} == {10}


def test_influence_tells_which_bin_was_left_out():
    found = [{"quantiles": pd.DataFrame({"quantity": ["gamma"], "median": [float(k)]})} for k in range(3)]
    table = checks.influence(found)
    assert table.dropped.to_list() == [0, 1, 2] and table["median"].to_list() == [0.0, 1.0, 2.0]


def test_simulated_arrays_give_their_truth_back():
    """Twelve arrays: ranks spread over 0 to 1 without leaning to a side, and every array is another one."""
    ranks = pd.concat([checks.recover(f"simulated {k}", 0, 10)["ranks"] for k in range(1, 13)])
    for _, part in ranks.groupby("parameter"):
        assert part["rank"].between(0.001, 0.999).all()
        assert 0.25 < part["rank"].mean() < 0.75  # three standard deviations of the mean of twelve
        assert np.ptp(part["rank"]) > 0.5
        assert part["median"].nunique() == 12
    assert (ranks["q2.5"] < ranks["median"]).all() and (ranks["median"] < ranks["q97.5"]).all()
    assert ranks.groupby("parameter").injected.first().to_dict() == checks.INJECTED


def test_a_rank_is_the_mass_below_the_truth():
    found = checks.recover("simulated 1", 0, 12)
    for row in found["ranks"].itertuples():
        assert row.rank == pytest.approx((found["draws"][row.parameter] < row.injected).mean(), abs=0.03)


def test_only_arrays_at_hand_are_recovered_and_named():
    """sim51 was looked for and is not here: no figure may claim to show it."""
    assert checks.injected_arrays(2) == ["simulated 1", "simulated 2"]
    assert checks.injected_data() == []
    checks.recover("simulated 1", 0, 10)
    assert checks.injected_data() == ["simulated power law"]


@pytest.mark.mirror
def test_the_public_injection_sits_at_the_edge_of_its_posterior(mirror):
    """Medians -14.461 and 3.655; the truth inside the 99 % region, at about the 2 % and 97 % quantiles."""
    assert checks.injected_arrays(1) == ["sim51", "simulated 1"]
    ranks = checks.recover("sim51", 0, 13)["ranks"].set_index("parameter")
    assert ranks.loc["log10_A"]["median"] == pytest.approx(-14.461, abs=0.01)
    assert ranks.loc["gamma"]["median"] == pytest.approx(3.655, abs=0.03)
    assert ranks.loc["log10_A"]["q2.5"] == pytest.approx(-14.686, abs=0.03)
    assert ranks.loc["gamma"]["q97.5"] == pytest.approx(4.181, abs=0.05)
    assert ranks["rank"].between(0.005, 0.995).all()
    assert ranks.loc["log10_A"]["rank"] < 0.05 and ranks.loc["gamma"]["rank"] > 0.95


def test_amplitudes_are_told_per_array_and_seed():
    asked = parameters(replicates=2, log2_points=10, bins=5)
    points = checks.amplitude_points(asked)
    assert [(point["datasets"], point["seed"]) for point in points] == [
        ([name], seed) for name in ("ng15_hd", "epta_dr2new_hd") for seed in (0, 1)
    ]
    assert {point["bins"] for point in points} == {0}, "published amplitudes use the recommended bins"
    table = checks.amplitudes(points, [fits.fit(**point) for point in points])
    assert np.allclose(table.A_1e15, 10**table.log10_A / 1e-15)
    assert table.bins.to_list() == [14, 14, 9, 9]
    hd = table[table.dataset == "ng15_hd"].log10_A
    assert hd.to_list() == pytest.approx([-14.59, -14.59], abs=0.05)


# Profiles and forced tilts


def options():
    return fits.options("gb1_log", "ng15_hd", parameters())


def test_the_profile_peaks_at_a_negative_exponent():
    table = exponent.exponent_profile("ng15_hd", 0, 12, options())
    assert table.n.is_monotonic_increasing and table.n.is_unique
    assert table.n.iloc[0] < -190 and table.n.iloc[-1] == 10
    best = table.loc[table.max_log_likelihood.idxmax()]
    assert best.n < -50
    assert table[table.n > 0].max_log_likelihood.max() < best.max_log_likelihood - 25


def test_more_points_never_lower_the_profile():
    few, many = (exponent.exponent_profile("ng15_hd", 0, points, options()) for points in (8, 10))
    assert (many.max_log_likelihood >= few.max_log_likelihood).all()


def test_a_scalar_tilt_like_the_cmbs_costs_the_fit():
    """About 60 in ln L, far more than the five that the claim asks for."""
    found = exponent.forced_tilt("ng15_hd", 0, 13, options())
    assert found["change"] == found["forced"] - found["free"]
    assert -80 < found["change"] < -40
    assert found["bounded"] == -exponent.DECISIVE
    best = fits.fit(**fits.point(parameters(log2_points=11), "gb1_log", ["ng15_hd"]))["summary"]["max_log_likelihood"]
    assert found["free"] == pytest.approx(best, abs=1.5)


def test_the_forced_points_have_the_cmbs_scalar_tilt(monkeypatch):
    """Every second batch that the likelihood sees has n_s within three standard deviations, at 4N + n > 0."""
    seen = []
    signal = pta.model("gb1_log")
    real = type(signal).log_likelihood
    monkeypatch.setattr(type(signal), "log_likelihood", lambda m, rows, s: seen.append(rows.copy()) or real(m, rows, s))
    exponent.forced_tilt("ng15_hd", 0, 10, options())
    free, forced = seen
    n, efolds = forced[:, 0], forced[:, 1]
    n_s = 1 - 2 * (n + 2) / (4 * efolds + n)
    centre, error = exponent.PLANCK_N_S
    assert (np.abs(n_s - centre) <= 3 * error + 1e-12).all()
    assert np.ptp(n_s) > 5 * error
    assert (free[:, 1:] == forced[:, 1:]).all()


def test_a_sweep_over_arrays_carries_the_model_options():
    asked = parameters(bins=4, end_rule="abs_eps1")
    points = exponent.array_points(asked, ["ng15_hd", "epta_dr2new_hd"])
    assert [point["bins"] for point in points] == [4, 0]
    assert all(point["options"]["end_rule"] == "abs_eps1" for point in points)
    json.dumps(points)


# Bounds on the spectrum


@pytest.fixture(scope="module")
def plane(small, tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        return checks.exclusion(small)


def test_energy_is_proportional_to_r(plane):
    for _, part in plane.groupby(["log10_T_rh", "cut", "n_t"]):
        assert np.ptp(part.log10_integral - part.log10_r) < 1e-9
    assert len(plane) == 3 * 2 * 121 * 41
    assert not plane.duplicated(["log10_T_rh", "cut", "n_t", "log10_r"]).any()


def test_the_plane_is_that_of_the_mask(plane, small):
    """Rows taken at random, judged one by one by the room's own mask."""
    for row in plane.sample(40, random_state=0).itertuples():
        end = None if row.cut == "none" else float(pta.frequency_at_temperature(10.0**row.log10_T_rh))
        mask = pta.excluded(row.n_t, row.log10_r, row.log10_T_rh, f_end=end, delta_n_eff=small.delta_n_eff)
        assert mask == (row.log10_integral > np.log10(pta.bbn_limit(small.delta_n_eff)))


def test_a_cut_at_reheating_only_takes_energy_away(plane):
    sides = plane.pivot(index=["log10_T_rh", "n_t", "log10_r"], columns="cut", values="log10_integral")
    assert (sides["f_rh"] <= sides["none"] + 1e-12).all()
    blue = sides.query("n_t > 3")
    assert (blue["f_rh"] < blue["none"] - 1).any()


def test_hotter_reheating_leaves_more_blue_energy(plane):
    free = plane[(plane.cut == "none") & (plane.log10_r == -20) & (plane.n_t > 1)]
    grid = free.pivot(index="n_t", columns="log10_T_rh", values="log10_integral").to_numpy()
    assert (np.diff(grid, axis=1) > 0).all()


def test_a_spectrum_that_ends_does_not_reach_the_ground(plane):
    """Reheating at 1e3 GeV ends the spectrum at 2.6e-5 Hz, far below 25 Hz."""
    cut = plane[plane.cut == "f_rh"]
    assert (cut.log10_h2omega_25Hz == -np.inf).all()
    assert np.isfinite(plane[plane.cut == "none"].log10_h2omega_25Hz).all()


def test_no_ground_limit_without_its_noise():
    assert checks.ground_limit() is None


@pytest.mark.mirror
def test_the_ground_limit_is_that_of_advanced_ligo(mirror):
    limit = checks.ground_limit()
    assert 1e-12 < limit < 1e-9


# What defeats gradients, and exercises


def test_the_likelihood_is_a_staircase(small):
    table = checks.staircase(small)
    steps = np.diff(table.log_likelihood)
    assert (steps == 0).mean() > 0.9
    assert (steps != 0).any()
    assert np.allclose(np.diff(table.log10_A), np.ptp(table.log10_A) / (len(table) - 1))


def exercises():
    cells = nbformat.read(project.root() / "notebooks/gb-igw.ipynb", as_version=4).cells
    cells = [cell for cell in cells if cell.cell_type == "code"]
    kinds = {
        kind: [cell.source for cell in cells if kind in cell.metadata.get("tags", [])]
        for kind in ("exercise", "solution", "check")
    }
    return list(zip(*kinds.values(), strict=True))


WRONG = {
    "ratio": "lambda Q: 16 * Q",
    "coupling": "lambda n_t, r: 1 - r / (8 * n_t)",
    "flat": "lambda values: 0.5",
    "error": "lambda exact: 0.0",
}


# Nonsense may also be refused by what the check calls.
REFUSED = (AssertionError, TypeError, InputError)


@pytest.mark.parametrize("number", range(4))
def test_a_check_refuses_an_empty_and_a_wrong_answer_and_takes_the_solution(number, small):
    exercise, solution, check = exercises()[number]
    space = {"np": np, "pd": pd, "pta": pta, "stairs": checks.staircase(small)}
    exec(exercise, space)
    with pytest.raises(REFUSED):
        exec(check, space)
    (name,) = {name for name in WRONG if f"def {name}(" in exercise}
    space[name] = eval(WRONG[name])
    with pytest.raises(REFUSED):
        exec(check, space)
    exec(solution, space)
    exec(check, space)
