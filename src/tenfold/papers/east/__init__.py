"""Extreme adaptive sparse training, EAST (arXiv 2411.13545), regenerated.

`parameters` holds the presets; `plans` says who is compared with whom; `runs` trains stacks of plans; `results`,
`accounting` and `kernels` make tidy tables; the other modules draw them. Only the parameters are imported here, so
that the command line can check them in a moment.
"""

from tenfold.papers.east.parameters import Parameters

__all__ = ["Parameters"]
