"""Is C4 dataset optimal for pruning? (arXiv 2410.07461), regenerated.

`parameters` holds the presets; `cells` says what is pruned how and on what; `plans` which cells each experiment needs;
`windows` builds their calibration windows; `bench` prunes and measures; `runs` and `checks` are the jobs, which return
tidy tables; `results` begins them; `effects` and `frames` put their tables together; `panels`, `charts`, `masks` and
`examples` draw them. Only the parameters are imported here, so that the command line can check them in a moment.
"""

from tenfold.papers.calibration_data.parameters import Parameters

__all__ = ["Parameters"]
