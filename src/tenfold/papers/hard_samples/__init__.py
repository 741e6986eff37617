"""Are sparse neural networks better hard sample learners? (arXiv 2409.09196), regenerated.

`parameters` holds the presets; `subjects` the data and networks; `conditions` says what is trained on what; `runs` are
the experiments, which return tidy tables; `results`, `controls`, `layers` and `costs` put them together; the other
modules draw them. Only the parameters are imported here, so that the command line can check them in a moment.
"""

from tenfold.papers.hard_samples.parameters import Parameters

__all__ = ["Parameters"]
