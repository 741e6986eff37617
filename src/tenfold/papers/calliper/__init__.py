"""Contrastive language-location pre-training for urban space, CaLLiPer (arXiv 2411.06229), regenerated for London.

`parameters` holds the presets; `city` the data; `encoders`, `features`, `evaluation`, `clustering`, `truth` and
`ablations` are the experiments, which return tidy tables; the other modules draw them. Only the parameters are
imported here, so that the command line can check them in a moment.
"""

from tenfold.papers.calliper.parameters import Parameters

__all__ = ["Parameters"]
