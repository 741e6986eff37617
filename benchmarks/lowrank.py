"""Seconds of low-rank compression, beside two decompositions for every matrix and beside random directions.

    OMP_NUM_THREADS=1 python benchmarks/lowrank.py
    python benchmarks/lowrank.py --shape llama-2-7b --device cuda --blocks 1 --repeats 1 --rates 0.3 0.5

Random weights of a stated shape, some blocks of it, each of which costs the same; the spectra fall off at different
rates, so that some matrices become of low rank and others stay dense. The plain way takes an SVD of every matrix in
float32 for the spectrum, and another for the factors: written here from its description. Ours takes one, in float32 or
from the Gram matrix in float64. Random directions take the spectrum from the Gram matrix and then the factors alone,
nearly. The error is the squared Frobenius norm of what the product misses, over the least possible one of the same
ranks, which an SVD in float64 gives (on request, since it costs more than all else). At last: compression at several
rates from one decomposition, spectra alone, the start of a layer, a GaLore refresh and step, and the forward pass of
factors. Times are wall times on a GPU and CPU times else, which do not depend on who else is at work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from stopwatch import best_time
from tenfold.language.llama import shape
from tenfold.lowrank import (
    Decomposition,
    GaLoreAdamW,
    LowRankLinear,
    compress,
    decompose,
    factorize,
    singular_values,
    totals,
    truncate,
)
from tenfold.lowrank.factors import Factors

ERRS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
RANK = 128  # of GaLore, as the paper compares with


def line(what: str, ours: float, theirs: float, remark: str = "", name: str = "two SVDs") -> None:
    """Print two times and their ratio."""
    print(f"{what:38s} {ours:9.3f} s   {name} {theirs:9.3f} s   ratio {theirs / ours:6.1f}   {remark}", flush=True)


def timed(call: Callable[[], object], device: str, repeats: int) -> float:
    """Return the shortest time in s of a call: wall time on a GPU, when its work is done, else CPU time."""
    if device.startswith("cuda"):
        return best_time(lambda: (call(), torch.cuda.synchronize()), repeats)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def random_blocks(sizes: Mapping[str, int], count: int, device: str) -> nn.Module:
    """Return some blocks of a Llama's maps, with spectra that fall off at different rates."""
    hidden, inner = sizes["hidden"], sizes["intermediate"]
    shapes = dict.fromkeys(("q_proj", "k_proj", "v_proj", "o_proj"), (hidden, hidden))
    shapes |= {"gate_proj": (hidden, inner), "up_proj": (hidden, inner), "down_proj": (inner, hidden)}
    generator, blocks = torch.Generator(device).manual_seed(0), []
    for _ in range(count):
        block = nn.ModuleDict({name: nn.Linear(*size, bias=False, device=device) for name, size in shapes.items()})
        for linear, power in zip(block.values(), (1.0, 1.0, 0.2, 0.6, 0.4, 0.2, 0.2), strict=True):
            with torch.no_grad():
                linear.weight.normal_(0, 0.02, generator=generator)
                # Rows of falling size: a spectrum that falls alike, without a decomposition to make it.
                rows = torch.arange(1, linear.out_features + 1, device=device)
                linear.weight.mul_(rows[:, None] ** -power)
        blocks.append(block)
    return nn.ModuleList(blocks)


def plainly(model: nn.Module, err: float, mode: str) -> nn.Module:
    """Compress in place with two decompositions for every matrix that is factorised, one for the others."""
    weights = {name: module.weight.detach() for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    spectra = {name: torch.linalg.svd(weight.float(), full_matrices=False)[1] for name, weight in weights.items()}
    held = Decomposition({name: Factors(weights[name], s, None) for name, s in spectra.items()})
    for name, rank in held.ranks(err, mode).items():
        if rank < len(spectra[name]):
            u, s, vh = torch.linalg.svd(weights[name].float(), full_matrices=False)
            pair = (u[:, :rank] * s[:rank].sqrt(), s[:rank, None].sqrt() * vh[:rank])
            model.set_submodule(name, LowRankLinear.of(*pair))
    return model


def randomly(model: nn.Module, err: float, mode: str) -> nn.Module:
    """Compress with spectra from Gram matrices and factors from random directions."""
    weights = {name: module.weight.detach() for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    spectra = {name: singular_values(weight) for name, weight in weights.items()}
    held = Decomposition({name: Factors(weights[name], s, None) for name, s in spectra.items()})
    for name, rank in held.ranks(err, mode).items():
        if rank < len(spectra[name]):
            model.set_submodule(name, LowRankLinear.of(*factorize(weights[name], rank, "randomised")))
    return model


def fresh(blocks: nn.Module) -> nn.Module:
    """Return the blocks in a new tree with the same maps, so that each way can replace them."""
    return nn.ModuleList([nn.ModuleDict(dict(block)) for block in blocks])


def lost(blocks: nn.Module, small: nn.Module) -> float:
    """Return |W - A B|_F^2, summed over all matrices of low rank."""
    total = 0.0
    for name, module in small.named_modules():
        if isinstance(module, LowRankLinear):
            weight = blocks.get_submodule(name).weight.detach()
            total += (weight - module.product()).double().square().sum().item()
    return total


def least(blocks: nn.Module, small: nn.Module) -> float:
    """Return the least possible |W - A B|_F^2 at the same ranks, in float64."""
    total = 0.0
    for name, module in small.named_modules():
        if isinstance(module, LowRankLinear):
            sigma = torch.linalg.svdvals(blocks.get_submodule(name).weight.detach().double())
            total += sigma[module.rank :].square().sum().item()
    return total


def compare_compression(blocks: nn.Module, asked: argparse.Namespace) -> None:
    """Print compression at one rate by each way, in both modes."""
    for mode in ("lrc", "all"):
        exact = compress(blocks, asked.err, mode)
        ways: dict[str, Callable[[], nn.Module]] = {
            "one SVD, Gram in float64": lambda mode=mode: compress(fresh(blocks), asked.err, mode, inplace=True),
            "one SVD, float32": lambda mode=mode: truncate(
                fresh(blocks), *_pair(decompose(blocks, method="svd"), asked.err, mode), inplace=True
            ),
            "random directions": lambda mode=mode: randomly(fresh(blocks), asked.err, mode),
        }
        plain = timed(lambda mode=mode: plainly(fresh(blocks), asked.err, mode), asked.device, asked.repeats)
        bound = least(blocks, exact) if asked.exact else lost(blocks, exact)
        sums = totals(exact)
        print(f"mode {mode}: ERR {sums['err']:.3f}, parameters {sums['share']:.3f}, {sums['low_rank']} of low rank")
        for name, way in ways.items():
            seconds = timed(way, asked.device, asked.repeats)
            off = lost(blocks, way()) / bound
            line(f"  {name}", seconds, plain, f"squared error {off:.6f} of the least")


def _pair(held: Decomposition, err: float, mode: str) -> tuple[Decomposition, dict[str, int]]:
    return held, held.ranks(err, mode)


def compare_rates(blocks: nn.Module, asked: argparse.Namespace) -> None:
    """Print compression at several rates from one decomposition."""

    def ours() -> None:
        held = decompose(blocks)
        for err in asked.rates:
            compress(fresh(blocks), err, decomposition=held, inplace=True)

    def theirs() -> None:
        for err in asked.rates:
            plainly(fresh(blocks), err, "lrc")

    line(f"{len(asked.rates)} rates", timed(ours, asked.device, 1), timed(theirs, asked.device, 1))


def compare_spectra(blocks: nn.Module, asked: argparse.Namespace) -> None:
    """Print spectra of each kind of matrix: a full decomposition for them, values alone, Gram matrix."""
    for name in ("q_proj", "up_proj"):
        w = blocks[0][name].weight.detach()
        full = timed(partial(torch.linalg.svd, w, full_matrices=False), asked.device, asked.repeats)
        for method in ("gram", "svd", "gram32", "randomised"):
            seconds = timed(partial(singular_values, w, method, w.shape[1] // 8), asked.device, asked.repeats)
            line(f"spectrum {tuple(w.shape)}, {method}", seconds, full, name="full SVD")
        low = timed(partial(factorize, w, w.shape[1] // 8), asked.device, asked.repeats)
        line(f"start of rank p/8 {tuple(w.shape)}", low, full, name="full SVD")


def compare_galore(blocks: nn.Module, asked: argparse.Namespace) -> None:
    """Print a step of GaLore with and without a refresh of its bases, beside Adam's."""
    linears = list(blocks[0].values())
    generator = torch.Generator(asked.device).manual_seed(1)
    for linear in linears:
        linear.weight.grad = torch.randn(linear.weight.shape, generator=generator, device=asked.device)
    parameters, rank = [linear.weight for linear in linears], min(RANK, linears[0].in_features // 4)
    adam = torch.optim.AdamW(parameters, lr=1e-9)
    steps = {gap: GaLoreAdamW(parameters, lr=1e-9, rank=rank, update_gap=gap) for gap in (1, 10**9)}
    plain = timed(adam.step, asked.device, asked.repeats)
    seconds = {}
    for gap, optimizer in steps.items():
        optimizer.step()
        seconds[gap] = timed(optimizer.step, asked.device, asked.repeats)
    line(f"GaLore step, rank {rank}", seconds[10**9], plain, name="AdamW")
    svds = timed(lambda: [torch.linalg.svd(p.grad, full_matrices=False) for p in parameters], asked.device, 1)
    line(f"GaLore step, rank {rank}, with new bases", seconds[1], svds + seconds[10**9], name="by SVDs")
    for linear in linears:
        linear.weight.grad = None


def compare_forward(blocks: nn.Module, asked: argparse.Namespace) -> None:
    """Print the forward pass of factors at shares of the rank, beside the matrix."""
    for name in ("q_proj", "up_proj"):
        w = blocks[0][name].weight.detach()
        x = torch.randn(asked.tokens, w.shape[1], device=asked.device)
        dense = timed(lambda x=x, w=w: functional.linear(x, w), asked.device, 5)
        for share in (0.5, 0.25, 0.12):
            pair: tuple[Tensor, Tensor] = (w[:, : int(share * min(w.shape))], w[: int(share * min(w.shape))])
            layer = LowRankLinear.of(*(part.clone() for part in pair))
            with torch.no_grad():
                seconds = timed(partial(layer, x), asked.device, 5)
            line(f"forward {tuple(w.shape)}, rank {share:.0%}", seconds, dense, name="dense")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="110m")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--err", type=float, default=0.5)
    parser.add_argument("--rates", type=float, nargs="+", default=ERRS)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--exact", action="store_true", help="errors against an SVD in float64")
    return parser.parse_args()


def main(asked: argparse.Namespace) -> None:
    """Print everything for one shape."""
    print(f"{asked.blocks} blocks of {asked.shape}, {asked.device}, {torch.get_num_threads()} thread(s)")
    blocks = random_blocks(shape(asked.shape), asked.blocks, asked.device)
    for method in ("gram", "svd"):  # the first call of a GPU's solvers sets them up
        decompose(nn.ModuleList([nn.Linear(8, 8, device=asked.device)]), ["0"], method=method)
    compare_compression(blocks, asked)
    compare_rates(blocks, asked)
    compare_spectra(blocks, asked)
    compare_galore(blocks, asked)
    compare_forward(blocks, asked)


if __name__ == "__main__":
    main(arguments())
