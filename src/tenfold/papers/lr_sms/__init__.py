"""LR-SMS: low-rank weight training for speech recognition models (arXiv 2410.07771), a reconstruction.

`parameters` holds the presets; `cells` says which network is trained how, and which are wanted. The jobs, which return
plain values or tidy tables: `training` makes one network, `afterwards` cuts a dense one, `spectra` looks into them,
`accounts` and `clocks` count and time, `checks` holds what must come out. `results` begins them all, `contrasts` puts
their tables together, `panels`, `machine` and `listening` show them. Only the parameters are imported here, so that
the command line can check them in a moment.
"""

from tenfold.papers.lr_sms.parameters import Parameters

__all__ = ["Parameters"]
