"""Sliders that move a GB-I spectrum over the violins of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tenfold.errors import InputError
from tenfold.papers.gb_igw import spectra, violins
from tenfold.papers.gb_igw.fits import options
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import bbn_limit, model

NAMES = ("n", "N", "log10_delta", "log10_T_rh")
STEPS = {"n": 0.5, "N": 0.5, "log10_delta": 0.05, "log10_T_rh": 0.05}
FREQUENCIES = np.geomspace(1e-9, 5e-8, 120)


def picture(parameters: Parameters, theta: dict[str, float]) -> tuple[Figure, str]:
    """Return the picture of one spectrum over the main array's violins, and a sentence about it."""
    spectrum = spectra.load(parameters.dataset, parameters)
    signal = model("gb1_log", **options("gb1_log", parameters.dataset, parameters))
    likelihood = signal.log_likelihood(theta, spectrum)
    if not np.isfinite(likelihood) and not signal.prior.is_allowed(np.array([[theta[key] for key in NAMES]]))[0]:
        raise InputError("GB-I needs 4N + n > 0 and n other than 0")
    derived = signal.derived(theta)
    energy = float(spectra.nucleosynthesis({"log10_T_rh": theta["log10_T_rh"], **derived}, parameters))
    verdict = "kept" if energy < bbn_limit(parameters.delta_n_eff) else "broken"
    words = (
        f"ln L = {likelihood:.1f}; n_s = {derived['n_s']:.3f}, n_T = {derived['n_t']:.3f}, "
        f"log10 r = {derived['log10_r']:.2f}; nucleosynthesis bound {verdict} (integral {energy:.1e})"
    )
    outlines = spectra.violins([parameters.dataset], parameters)
    curve = (FREQUENCIES, np.log10(signal.h2omega(theta, FREQUENCIES)), "GB-I")
    return violins.single(outlines, parameters.dataset, [curve]), words


def sliders(parameters: Parameters, start: dict[str, float], live: bool) -> Any:
    """Show the picture with a slider for each parameter, from the point `start` on; not `live`: that point alone.

    Without a person there are no widgets either: their messages have nobody to answer them, and a headless run that
    waits for an answer waits for ever.
    """
    from IPython.display import display

    if not live:
        figure, words = picture(parameters, {key: start[key] for key in NAMES})
        display(figure)
        figure.clear()
        return print(words)

    import ipywidgets

    bounds = model("gb1_log").prior.bounds()
    controls = {
        key: ipywidgets.FloatSlider(
            value=start[key], min=low, max=high, step=STEPS[key], description=key, continuous_update=False
        )
        for key, (low, high) in bounds.items()
    }

    def show(**theta: float) -> None:
        try:
            figure, words = picture(parameters, theta)
        except InputError as error:
            print(error)
            return
        display(figure)
        figure.clear()
        print(words)

    return display(ipywidgets.VBox(list(controls.values())), ipywidgets.interactive_output(show, controls))
