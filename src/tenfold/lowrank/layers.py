"""A linear map as the product of two thin matrices, and its starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional, init

from tenfold.errors import InputError, unknown
from tenfold.lowrank.factors import factorize
from tenfold.lowrank.spectra import check_rank

INITS = ("svd", "rand", "xavier", "zero", "orth")


class LowRankLinear(nn.Module):
    """A linear map of low rank: y = A (B x) + b, A (out, r), B (r, in), with r (in + out) weights in place of in out.

    init: see `initial_factors`; W_0 and the bias are drawn as those of `nn.Linear`, U(-1/sqrt(in), 1/sqrt(in)), from
    `generator` (None: seed 0). Raises InputError for a rank outside 1 ... min(in, out) and an unknown init. Sources:
    arXiv 2410.07771, arXiv 2407.11239.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        init: str = "svd",
        bias: bool = True,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        start = default(generator, out_features, in_features)
        shift = default(generator, out_features, in_features, bias=True) if bias else None
        self._take(*initial_factors(start, rank, init, generator), shift)

    @classmethod
    def of(cls, A: Tensor, B: Tensor, bias: Tensor | None = None) -> LowRankLinear:
        """Return the map of given factors A (out, r), B (r, in) and bias (out,); raises InputError unless they fit."""
        if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[0] or (bias is not None and bias.shape != A.shape[:1]):
            raise InputError(f"factors {tuple(A.shape)} and {tuple(B.shape)} with their bias make no map")
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._take(A, B, bias)
        return layer

    @classmethod
    def start(
        cls, linear: nn.Linear, rank: int, init: str = "svd", generator: torch.Generator | None = None
    ) -> LowRankLinear:
        """Return the map of low rank with which to train in place of a dense one that has just been drawn."""
        generator = generator or torch.Generator().manual_seed(0)
        pair = initial_factors(linear.weight.detach(), rank, init, generator)
        return cls.of(*pair, None if linear.bias is None else linear.bias.detach().clone())

    def _take(self, A: Tensor, B: Tensor, bias: Tensor | None) -> None:
        self.A, self.B = nn.Parameter(A.contiguous()), nn.Parameter(B.contiguous())
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias))

    @property
    def in_features(self) -> int:
        """Columns n of A B."""
        return self.B.shape[1]

    @property
    def out_features(self) -> int:
        """Rows m of A B."""
        return self.A.shape[0]

    @property
    def rank(self) -> int:
        """Columns of A, rows of B."""
        return self.A.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return y (..., out) of x (..., in)."""
        return functional.linear(functional.linear(x, self.B), self.A, self.bias)

    def product(self) -> Tensor:
        """Return W = A B (out, in), formed in float32 and rounded once to the type of the factors."""
        return (self.A.float() @ self.B.float()).to(self.A.dtype)

    def square_norm(self) -> Tensor:
        """Return |A B|_F^2 = tr(A^T A B B^T) without forming A B, for weight decay of the product.

        Source: Khodak et al., arXiv 2105.01029 (Frobenius decay).
        """
        return ((self.A.mT @ self.A) * (self.B @ self.B.mT)).sum()

    @torch.no_grad()
    def dense(self) -> nn.Linear:
        """Return the plain map W = A B with the same bias."""
        linear = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        linear.weight = nn.Parameter(self.product())
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias.clone())
        return linear

    def extra_repr(self) -> str:
        """Return the sizes that a printed model shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}, rank={self.rank}"


def initial_factors(weight: Tensor, rank: int, init_: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return A (m, r) and B (r, n) with which a map of low rank starts, given a dense start W_0 (m, n).

    "svd": the truncated decomposition of W_0, A = P_r S_r^{1/2}, B = S_r^{1/2} Q_r^T; "rand": each factor as a dense
    map of its shape, A ~ U(-1/sqrt(r), 1/sqrt(r)), B ~ U(-1/sqrt(n), 1/sqrt(n)), so that an entry of A B has variance
    1/(9n), a third of that of W_0; "xavier": both uniform with Xavier's bounds; "zero": A = 0, B as in "rand"; "orth":
    orthonormal columns of A and rows of B, both times a c with |A B|_F = c^2 sqrt(r) = |W_0|_F. Raises InputError for a
    rank outside 1 ... min(m, n) and an unknown start. Sources: arXiv 2410.07771 and arXiv 2105.01029 (svd).
    """
    rank, (m, n) = check_rank(rank, weight), weight.shape
    if init_ not in INITS:
        raise unknown("start of a map of low rank", init_, INITS)
    if init_ == "svd":
        return factorize(weight, rank)
    if init_ in ("rand", "zero"):
        pair = (default(generator, m, rank), default(generator, rank, n))
        pair = (torch.zeros(m, rank), pair[1]) if init_ == "zero" else pair
    elif init_ == "xavier":
        pair = tuple(init.xavier_uniform_(torch.empty(size), generator=generator) for size in ((m, rank), (rank, n)))
    else:
        scale = math.sqrt(weight.norm().item() / math.sqrt(rank))
        pair = tuple(
            init.orthogonal_(torch.empty(size), gain=scale, generator=generator) for size in ((m, rank), (rank, n))
        )
    return tuple(part.to(weight) for part in pair)


def default(generator: torch.Generator, out_features: int, in_features: int, bias: bool = False) -> Tensor:
    """Return the weight (out, in) or the bias (out,) with which `nn.Linear` starts."""
    bound, size = 1 / math.sqrt(in_features), (out_features,) if bias else (out_features, in_features)
    return init.uniform_(torch.empty(size), -bound, bound, generator=generator)
