"""The decompositions of all matrices of a network, each found once: spectra, ranks and factors follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tenfold.errors import unknown
from tenfold.language.llama import LINEARS
from tenfold.lowrank.factors import Factors, principal
from tenfold.lowrank.maps import Names, dense_maps
from tenfold.lowrank.scaling import Scaling
from tenfold.lowrank.spectra import NORMALISATIONS, check_matrix
from tenfold.lowrank.store import stored, writing
from tenfold.lowrank.thresholds import STEP, check_err, check_mode, kept_ranks, ruled, search_threshold, uniform_rank

RULES = (*NORMALISATIONS, "uniform")
CHUNK = 2**26  # numbers decomposed together: 0.5 GB in float64


class Decomposition(Mapping[str, Factors]):
    """The decomposition of each matrix by full name; a mapping from names to `Factors`.

    `spectra` {name: sigma (p,)} is always in memory. Made by `decompose`, kept by `save`, read by `load`.
    """

    def __init__(self, factors: Mapping[str, Factors]):
        self._factors = dict(factors)
        self.spectra = {name: found.S for name, found in self._factors.items()}

    def __getitem__(self, name: str) -> Factors:
        return self._factors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    def threshold(self, err: float, mode: str = "all", by: str = "minmax", step: float | None = STEP) -> float:
        """Return the one threshold of all matrices for a target ERR; see `search_threshold` ("raw": no grid)."""
        return search_threshold(self.spectra, err, mode, by=by, step=None if by == "raw" else step)

    def ranks(self, err: float, mode: str = "all", by: str = "minmax", step: float | None = STEP) -> dict[str, int]:
        """Return the rank of each matrix for a target ERR, after the rule of the mode.

        by: "minmax", "max", "raw" or "energy" with one global threshold, or "uniform", floor(ERR p_l) values of each
        matrix pruned. Raises InputError as `search_threshold`. Source: arXiv 2407.11239.
        """
        check_mode(mode)
        if by not in RULES:
            raise unknown("rule of ranks", by, RULES)
        if by == "uniform":
            return self.rates(dict.fromkeys(self, check_err(err)), mode)
        return kept_ranks(self.spectra, self.threshold(err, mode, by, step), mode, by)

    def rates(self, ratios: Mapping[str, float], mode: str = "all") -> dict[str, int]:
        """Return the ranks where each matrix has a share of its own to prune: p_l - floor(ratio_l p_l)."""
        sizes = {name: len(self.spectra[name]) for name in ratios}
        return {name: ruled(uniform_rank(full, ratios[name]), full, mode) for name, full in sizes.items()}

    def save(self, folder: str | Path) -> Path:
        """Write everything to a new folder of safetensors, whole or not at all, and return the folder."""
        with writing(folder) as writer:
            writer.add(self)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Decomposition:
        """Return a stored decomposition: spectra in memory, of the rest only what is asked for is ever read.

        Raises InputError for a folder that holds none, and a file that is missing or damaged.
        """
        return cls(stored(Path(folder)))


def decompose(
    model: nn.Module,
    names: Names = LINEARS,
    *,
    method: str = "gram",
    scalings: Mapping[str, Scaling] | None = None,
    device: torch.device | str | None = None,
) -> Decomposition:
    """Return the singular value decompositions of the linear maps of a network, one for each, kept as factors.

    Equal shapes are decomposed together. names: see `maps`. method: "gram" (float64) or "svd" (float32), see
    `singular_values`. scalings: T_l of each map, so that the decomposition is that of W_l T_l (see `map_scalings`).
    device: where to compute, by default where the weights are; there lie the factors and their copy of the weights.
    Raises InputError for weights that are not finite, and as `maps`.
    """
    weights = {name: linear.weight.detach() for name, linear in dense_maps(model, names).items()}
    return Decomposition(decompose_weights(weights, method, scalings or {}, device))


def decompose_weights(
    weights: Mapping[str, Tensor],
    method: str = "gram",
    scalings: Mapping[str, Scaling] | None = None,
    device: torch.device | str | None = None,
) -> dict[str, Factors]:
    """Return the factors of weights by name; see `decompose`."""
    groups: dict[tuple, list[str]] = defaultdict(list)
    for name, weight in weights.items():
        check_matrix(weight, name)
        groups[(*weight.shape, weight.device)].append(name)
    found: dict[str, Factors] = {}
    for (m, n, home), members in groups.items():
        size = max(1, CHUNK // (m * n))
        for start in range(0, len(members), size):
            part = members[start : start + size]
            found |= _together(part, [weights[name] for name in part], method, scalings or {}, device or home, home)
    return {name: found[name] for name in weights}


def _together(
    names: list[str],
    weights: list[Tensor],
    method: str,
    scalings: Mapping[str, Scaling],
    device: torch.device | str,
    home: torch.device,
) -> dict[str, Factors]:
    """Return the factors of equal shapes, found in one call."""
    held = [weight.to(device, torch.promote_types(weight.dtype, torch.float32)) for weight in weights]
    scaled = [scalings[name].times(w) if name in scalings else w for name, w in zip(names, held, strict=True)]
    stack = torch.stack(scaled) if len(scaled) > 1 else scaled[0][None]
    found = {}
    for name, weight, w, s, thin in zip(names, weights, scaled, *principal(stack, method), strict=True):
        kept, back = weight.clone(), None
        if name in scalings and weight.shape[0] >= weight.shape[1]:
            # U = W T V diag(S)^-1. Where m < n, diag(S)^-1 U^T W T times T^-1 needs W alone.
            kept, back = w.float().to(home), scalings[name].undone(thin.mT).to(home)
        found[name] = Factors(kept, s.to(home), thin.to(home, torch.float32), back)
    return found
