"""Second moments of the inputs of linear maps, summed as the data passes, shared by maps with the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.pruning.precision import full_float32


class InputStatistics:
    """Sums over tokens of x_j^2, or with `gram` of x_i x_j, in float32.

    `sq_norm` (d_in,) is sum x_j^2; `gram` (d_in, d_in) is X^T X, None unless asked for; `tokens` and `windows` count
    what went in. Sources: arXiv 2306.11695, arXiv 2301.00774.
    """

    def __init__(self, d_in: int, gram: bool = False, device: torch.device | str = "cpu"):
        shape = (d_in, d_in) if gram else (d_in,)
        self.d_in, self.tokens, self.windows = d_in, 0, 0
        self._sums = torch.zeros(shape, dtype=torch.float32, device=device)

    def add(self, x: Tensor, windows: int) -> None:
        """Add tokens x (N, d_in) that come from so many windows; raises InputError for another width."""
        if x.ndim != 2 or x.shape[1] != self.d_in:
            raise InputError(f"inputs are (N, {self.d_in}), not {tuple(x.shape)}")
        x = x.detach().to(self._sums.device, torch.float32)
        if self._sums.ndim == 2:
            with full_float32():
                self._sums.addmm_(x.T, x)
        else:
            self._sums += x.square().sum(0)
        self.tokens += len(x)
        self.windows += windows

    @property
    def gram(self) -> Tensor | None:
        """X^T X (d_in, d_in)."""
        return self._sums if self._sums.ndim == 2 else None

    @property
    def sq_norm(self) -> Tensor:
        """Sum over tokens of x_j^2 (d_in,)."""
        return self._sums.diagonal() if self._sums.ndim == 2 else self._sums

    def hessian(self) -> Tensor:
        """Return H = (2/n) X^T X over n windows; raises InputError where no products were kept."""
        if self._sums.ndim != 2:
            raise InputError("a Hessian needs the products of the inputs: gram=True")
        return self._sums * (2 / max(self.windows, 1))

    def merge(self, other: InputStatistics) -> None:
        """Add what another object has seen; raises InputError for another width or kind of sums."""
        if other._sums.shape != self._sums.shape:
            raise InputError(f"sums of {tuple(other._sums.shape)} do not add to {tuple(self._sums.shape)}")
        self._sums += other._sums.to(self._sums.device)
        self.tokens += other.tokens
        self.windows += other.windows

    def reduce(self, group: object | None = None) -> None:
        """Add up what all processes of a group have seen; without a process group nothing happens."""
        from torch import distributed

        if not (distributed.is_available() and distributed.is_initialized()):
            return
        counts = torch.tensor([self.tokens, self.windows], dtype=torch.int64, device=self._sums.device)
        distributed.all_reduce(self._sums, group=group)
        distributed.all_reduce(counts, group=group)
        self.tokens, self.windows = counts.tolist()


Marks = Tensor | Mapping[str, Tensor | None] | None


def collect(
    linears: Mapping[str, nn.Linear], run: Callable[[], object], gram: bool, count: Marks = None
) -> dict[str, InputStatistics]:
    """Return the statistics of the inputs of each map while `run` passes all windows through, in any batches.

    The inputs of a map are (b, ..., d_in), b windows at a time. count (n, ...), bool, marks what enters, in the order
    in which `run` passes the n windows; one tensor for all maps or one for each by name; None counts everything. Maps
    that receive the very same tensor share one object. Raises InputError for maps that received nothing, marks that do
    not fit, and maps that share only some of their inputs. Source: arXiv 2306.11695.
    """
    collector = _Collector(gram, count)
    hooks = [linear.register_forward_pre_hook(collector.hook(name)) for name, linear in linears.items()]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: collector.statistics(name) for name in linears}


class _Collector:
    """Takes the inputs of several maps; those of maps called with the same tensor only once."""

    def __init__(self, gram: bool, count: Marks):
        self.gram, self.count = gram, count
        self.latest: tuple[Tensor, Tensor | None, str] | None = None  # inputs received last, their marks, by whom
        self.found: dict[str, InputStatistics] = {}
        self.owner: dict[str, str] = {}
        self.calls: dict[str, int] = {}

    def hook(self, name: str) -> Callable:
        """Return the hook of one map."""
        return lambda _, inputs: self.take(name, inputs[0])

    def take(self, name: str, x: Tensor) -> None:
        """Add the inputs of one call of a map, unless another map has brought them."""
        marks = self.count.get(name) if isinstance(self.count, Mapping) else self.count
        if self.latest is None or x is not self.latest[0] or marks is not self.latest[1]:
            self.latest = (x, marks, name)
        owner = self.latest[2]
        if self.owner.setdefault(name, owner) != owner:
            raise self._divided(name)
        self.calls[name] = self.calls.get(name, 0) + 1
        if owner == name:
            if name not in self.found:
                self.found[name] = InputStatistics(x.shape[-1], self.gram, x.device)
            self.found[name].add(self._counted(name, x, marks), len(x))

    def _counted(self, name: str, x: Tensor, marks: Tensor | None) -> Tensor:
        """Return the inputs that count, (N, d_in)."""
        if marks is None:
            return x.reshape(-1, x.shape[-1])
        start = self.found[name].windows
        part = marks[start : start + len(x)].to(x.device)
        if part.shape != x.shape[:-1]:
            raise InputError(f"marks {tuple(marks.shape)} do not fit inputs {tuple(x.shape)} of {name}")
        return x[part]

    def statistics(self, name: str) -> InputStatistics:
        """Return what a map has received."""
        if name not in self.owner:
            raise InputError(f"no data reached {name}: statistics need at least one window")
        owner = self.owner[name]
        if self.calls[name] != self.calls[owner]:
            raise self._divided(name)
        return self.found[owner]

    def _divided(self, name: str) -> InputError:
        return InputError(f"{name} and {self.owner[name]} share only some of their inputs: collect them apart")
