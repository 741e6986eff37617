"""Gauss-Bonnet inflationary gravitational waves against PTA data (arXiv 2410.07949), reconstructed.

`parameters` holds the presets; `fits`, `exponent`, `slowroll`, `spectra` and `checks` are the experiments, which return
tidy tables; `corners`, `violins` and `panels` draw them. Only the parameters are imported here, so that
the command line can check them in a moment.
"""

from tenfold.papers.gb_igw.parameters import Parameters

__all__ = ["Parameters"]
