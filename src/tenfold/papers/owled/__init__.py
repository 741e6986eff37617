"""OWLed: outlier-weighed layerwise pruning for an autonomous driving framework (arXiv 2411.07711), rebuilt.

`parameters` holds the presets; `subjects` the networks that are pruned; `cells` says what is pruned how; `runs`,
`proxies` and `traps` are the experiments, which return tidy tables; `results` begins them and puts them together;
`labels` judges the real scenes; the other modules draw. Only the parameters are imported here, so that the command line
can check them in a moment.
"""

from tenfold.papers.owled.parameters import Parameters

__all__ = ["Parameters"]
