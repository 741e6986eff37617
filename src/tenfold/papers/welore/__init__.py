"""WeLore: low-rank weights emerge non-uniformly from low-rank gradients (arXiv 2407.11239), regenerated.

`parameters` holds the presets; `plans` says what is compressed and fine-tuned how; `bench` holds a dense model, its
texts and its decomposition; `compressions`, `finetunings`, `films` and `checks` are the jobs, which return tidy tables;
`results` begins them; `effects` puts into tables what claims compare; `costs` counts work and memory; `published` holds
the paper's own numbers; `spectra`, `curves`, `tunings` and `maps` draw. Only the parameters are imported here, so that
the command line can check them in a moment.
"""

from tenfold.papers.welore.parameters import Parameters

__all__ = ["Parameters"]
