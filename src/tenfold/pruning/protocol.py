"""One-shot pruning, block after block: each block sees what the pruned blocks before it let through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.language.llama import LINEARS, blocks, evaluating
from tenfold.language.llama import linears as maps_of
from tenfold.language.windows import Windows
from tenfold.pruning.activations import block_inputs, check_model, forward_block
from tenfold.pruning.masks import check, magnitude_mask, random_mask, wanda_mask, wanda_variant_mask
from tenfold.pruning.sparsegpt import sparsegpt_jointly
from tenfold.pruning.statistics import InputStatistics, Marks, collect

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("random", "magnitude", "wanda", "wanda-variant", "sparsegpt")
DATALESS = ("random", "magnitude")

Sparsity = float | Mapping[str, float]
Groups = tuple[int, int]


def prune(
    model: nn.Module,
    windows: Tensor | Windows,
    method: str,
    sparsity: float,
    nm: Groups | Sequence[Groups] | None = None,
    layer_ratios: Sequence[Sparsity] | None = None,
    *,
    seed: int = 0,
    batch: int = 16,
    inplace: bool = False,
    linears: Sequence[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> nn.Module:
    """Return a Llama or Mistral model whose linear maps are pruned by one of `METHODS`, a copy unless `inplace`.

    For block l = 0 ... L-1: all windows pass through the dense block and the second moments of the inputs of its maps
    are taken, in float32; the maps are pruned, each with its own moments; the windows pass through the pruned block
    and become the inputs of block l+1. Embeddings, norms, biases and the output stay as they are. "random" (drawn from
    `seed`) and "magnitude" need no data and pass nothing through.
    windows: token ids (n, T) or Windows, of which positions that do not count stay out of the moments. nm = (N, M): N
    zeros in every M inputs, for all blocks or one pair each. layer_ratios: for each block a sparsity, or one for each
    map by name, instead of `sparsity`. linears: names of the maps to prune, all seven by default. progress is called
    with (blocks done, blocks). Raises InputError for an unknown method or map, another kind of model, windows that do
    not fit it, ratios of another number, and sparsities or groups out of range. Source: arXiv 2306.11695 (protocol and
    Wanda), arXiv 2301.00774 (SparseGPT).
    """
    check_method(method, nm)
    check_model(model)
    windows = Windows.of(windows)
    model = model if inplace else copy.deepcopy(model)
    layers, names = blocks(model), check_names(linears)
    ratios = per_block("layer ratios", layer_ratios, sparsity, len(layers))
    groups = per_block("pairs nm", *apart(nm), len(layers))
    for block, ratio, group in zip(layers, ratios, groups, strict=True):
        check_step(_chosen(block, names), ratio, group)
    generator = torch.Generator().manual_seed(seed)
    needs_data = method not in DATALESS
    flow = block_inputs(model, windows) if needs_data else ()
    with evaluating(model):
        for index, block in enumerate(layers):
            prune_linears(
                _chosen(block, names),
                lambda block=block: forward_block(block, *flow, batch=batch, keep=False),
                method,
                ratios[index],
                groups[index],
                windows.count,
                generator=generator,
            )
            if needs_data and index + 1 < len(layers):
                forward_block(block, *flow, batch=batch)
            if progress is not None:
                progress(index + 1, len(layers))
    return model


def prune_linears(
    linears: Mapping[str, nn.Linear],
    run: Callable[[], object],
    method: str,
    sparsity: Sparsity,
    nm: Groups | None = None,
    count: Marks = None,
    *,
    generator: torch.Generator | None = None,
    distributed: bool = False,
) -> None:
    """Prune linear maps in place, all by the inputs that reach them, still dense, while `run` passes the data.

    sparsity: one for all maps or one for each by name; a map of sparsity 0 stays as it is, and where none is left, or
    the method needs no data, nothing runs. count: marks of what enters the moments, see `collect`. generator: for
    "random". distributed: the moments are added up over the processes of torch.distributed before they are used.
    Raises InputError as `prune` and `collect`.
    """
    check_method(method, nm)
    check_step(linears, sparsity, nm)
    wanted = _wanted(linears, sparsity, nm)
    blind = method in DATALESS or not wanted
    statistics = {} if blind else collect(wanted, run, method == "sparsegpt", count)
    if distributed:
        for shared in {id(found): found for found in statistics.values()}.values():
            shared.reduce()
    apply_method(wanted, statistics, method, sparsity, nm, generator)


def apply_method(
    linears: Mapping[str, nn.Linear],
    statistics: Mapping[str, InputStatistics],
    method: str,
    sparsity: Sparsity,
    nm: Groups | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Prune linear maps in place by statistics of their inputs, which "random" and "magnitude" do not need."""
    check_method(method, nm)
    wanted = _wanted(linears, sparsity, nm)
    if method == "sparsegpt":
        _sparsegpt(wanted, statistics, sparsity, nm)
        return
    for name, linear in wanted.items():
        weight, share = linear.weight.detach(), ratio_of(sparsity, name)
        if method == "random":
            if generator is None:
                raise InputError("random masks need a generator")
            kept = random_mask(weight, share, generator, nm)
        elif method == "magnitude":
            kept = magnitude_mask(weight, share, nm)
        elif method == "wanda":
            kept = wanda_mask(weight, statistics[name].sq_norm, share, nm)
        else:
            kept = wanda_variant_mask(weight, statistics[name].sq_norm, share)
        weight.masked_fill_(~kept, 0)


def _sparsegpt(linears: Mapping[str, nn.Linear], statistics: Mapping, sparsity: Sparsity, nm: Groups | None) -> None:
    """Prune together the maps that share their inputs, and so their Hessian."""
    together: dict[int, list[str]] = {}
    for name in linears:
        together.setdefault(id(statistics[name]), []).append(name)
    for names in together.values():
        weights = [linears[name].weight.detach() for name in names]
        shares = [ratio_of(sparsity, name) for name in names]
        pruned = sparsegpt_jointly(weights, statistics[names[0]].hessian(), shares, nm)
        for weight, new in zip(weights, pruned, strict=True):
            weight.copy_(new)


def achieved_sparsity(model: nn.Module) -> pd.DataFrame:
    """Return the share of zeros of every map: columns block, linear, sparsity, weights (their number)."""
    import pandas as pd

    rows = []
    for index, block in enumerate(blocks(model)):
        for name, linear in maps_of(block).items():
            rows.append((index, name, zero_share([linear]), linear.weight.numel()))
    return pd.DataFrame(rows, columns=["block", "linear", "sparsity", "weights"])


def zero_share(linears: Iterable[nn.Linear]) -> float:
    """Return the share of zeros among the weights of linear maps, all together."""
    weights = [linear.weight.detach() for linear in linears]
    total = sum(weight.numel() for weight in weights)
    return (total - sum(int(weight.count_nonzero()) for weight in weights)) / total


def ratio_of(sparsity: Sparsity, name: str) -> float:
    """Return the sparsity of one map; raises InputError where a mapping has none for it."""
    if not isinstance(sparsity, Mapping):
        return float(sparsity)
    if name not in sparsity:
        raise InputError(f"no sparsity is given for {name}")
    return float(sparsity[name])


def per_block(kind: str, values: Sequence | None, same: object, count: int) -> list:
    """Return a value for each block: those given, or the same for all; raises InputError for another number."""
    if values is None:
        return [same] * count
    if len(values) != count:
        raise InputError(f"{len(values)} {kind} for {count} blocks")
    return list(values)


def apart(nm: Groups | Sequence[Groups] | None) -> tuple[Sequence[Groups] | None, Groups | None]:
    """Return groups as (a pair for each block, None) or (None, the pair of all): arguments of `per_block`."""
    each = nm is not None and len(nm) > 0 and isinstance(nm[0], Sequence)
    return (nm, None) if each else (None, nm)


def check_method(method: str, nm: object = None) -> None:
    """Raise InputError for an unknown method and for groups where it has none."""
    if method not in METHODS:
        raise unknown("method of pruning", method, METHODS)
    if method == "wanda-variant" and nm is not None:
        raise InputError("the Wanda variant has no N:M form; take 'wanda'")


def check_names(linears: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the maps to prune; raises InputError for an unknown one."""
    for name in linears or ():
        if name not in LINEARS:
            raise unknown("linear map", name, LINEARS)
    return tuple(LINEARS if linears is None else linears)


def check_step(linears: Mapping[str, nn.Linear], sparsity: Sparsity, nm: Groups | None) -> None:
    """Raise InputError for weights, sparsities and groups of a block that do not fit, before anything changes."""
    for name, linear in linears.items():
        check(linear.weight.detach(), ratio_of(sparsity, name), nm)


def _chosen(block: nn.Module, names: Sequence[str]) -> dict[str, nn.Linear]:
    return {name: linear for name, linear in maps_of(block).items() if name in names}


def _wanted(linears: Mapping[str, nn.Linear], sparsity: Sparsity, nm: Groups | None) -> dict[str, nn.Linear]:
    """Return the maps in which something is to be zeroed."""
    return {name: linear for name, linear in linears.items() if nm is not None or ratio_of(sparsity, name) > 0}
