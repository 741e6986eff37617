"""Seconds and memory of pruning a language model, beside the same work done the plain way.

    python benchmarks/pruning.py
    python benchmarks/pruning.py --shape llama-7b --device cuda --dtype float16 --windows 128 --length 2048 --blocks 32

Random weights of a stated shape and random tokens; the first blocks only, since each costs the same. The plain way
takes one window at a time with a float32 mask of its own and a hook on every map; for SparseGPT it keeps a Hessian for
every map (those of q, k and v are equal), finds each factor by an inverse and two Cholesky factors, takes one map after
another and an outer product per column; for Wanda it sorts whole rows: written here from its description. At last a
checkpoint on disk, with all its blocks and an eighth of the windows, is pruned with Wanda block by block, beside
loading it, pruning it in memory and saving it. Memory on a CPU is what is
resident at most beyond the start, sampled; on a GPU what is allocated at most, the model included.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from tenfold.language.llama import blocks, linears, load, shape, tiny
from tenfold.language.tokenizer import train_tokenizer
from tenfold.pruning import kept, overlap, prune, prune_checkpoint

BLOCKSIZE, DAMPING, SPARSITY = 128, 0.01, 0.5
METHODS = ("magnitude", "wanda", "sparsegpt")
STATUS = Path("/proc/self/statm")
PAGE = 4096


def measured(call: Callable[[], object], device: str) -> tuple[object, float, int]:
    """Return what a call returns, its wall time in s and the peak of memory in bytes."""
    cuda = device.startswith("cuda")
    trim()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    start, samples, done = time.perf_counter(), [resident()], threading.Event()

    def sample() -> None:
        while not done.wait(0.01):
            samples.append(resident())

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        result = call()
        if cuda:
            torch.cuda.synchronize()
    finally:
        done.set()
        watcher.join()
    seconds = time.perf_counter() - start
    return result, seconds, torch.cuda.max_memory_allocated() if cuda else max(samples) - samples[0]


def trim() -> None:
    """Give back what is free, so that what ran before does not lend its memory to what runs next."""
    gc.collect()
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def resident() -> int:
    """Return the bytes of this process in memory, 0 where the system does not say."""
    return int(STATUS.read_text().split()[1]) * PAGE if STATUS.exists() else 0


def random_model(sizes: dict[str, int], device: str, dtype: torch.dtype) -> nn.Module:
    """Return a Llama with random weights, drawn where it is to be."""
    with torch.device("meta"):
        model = tiny(**sizes)
    model = model.to(dtype).to_empty(device=device)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=model.config).to(device)
    generator = torch.Generator(device).manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data.fill_(1)
        else:
            parameter.data.normal_(0, 0.02, generator=generator)
    return model


class Sums:
    """What the plain way keeps of the inputs of one map: running means over windows."""

    def __init__(self, linear: nn.Linear, hessian: bool):
        self.windows, width = 0, linear.in_features
        self.values = torch.zeros((width, width) if hessian else (width,), device=linear.weight.device)

    def __call__(self, _: nn.Module, inputs: tuple[Tensor], __: Tensor) -> None:
        """Take the inputs of one window."""
        x = inputs[0].reshape(-1, inputs[0].shape[-1]).float()
        self.values *= self.windows / (self.windows + 1)
        self.windows += 1
        self.values += (2 * x.T @ x if self.values.ndim == 2 else x.norm(dim=0).square()) / self.windows


@torch.no_grad()
def plainly(model: nn.Module, ids: Tensor, method: str) -> nn.Module:
    """Prune a model in place the plain way."""
    places = torch.arange(ids.shape[1], device=ids.device)[None]
    hidden = [model.model.embed_tokens(window[None]) for window in ids]
    rotary = model.model.rotary_emb(hidden[0], places)
    blank = torch.full((ids.shape[1], ids.shape[1]), torch.finfo(hidden[0].dtype).min, device=ids.device)
    masks = [blank.triu(1)[None, None].clone() for _ in ids] if method != "magnitude" else []
    for block in blocks(model):
        maps, sums = linears(block), {}
        if method != "magnitude":
            sums = {name: Sums(linear, method == "sparsegpt") for name, linear in maps.items()}
            hooks = [maps[name].register_forward_hook(taken) for name, taken in sums.items()]
            forward(block, hidden, masks, places, rotary)
            for hook in hooks:
                hook.remove()
        for name, linear in maps.items():
            linear.weight.data = plain_pruned(linear.weight.data, sums[name].values if sums else None, method)
        if method != "magnitude":
            hidden = forward(block, hidden, masks, places, rotary)
    return model


def forward(block: nn.Module, hidden: list[Tensor], masks: list[Tensor], places: Tensor, rotary: tuple) -> list[Tensor]:
    """Return the outputs of a block, one window at a time."""
    return [
        block(x, attention_mask=mask.to(x.dtype), position_ids=places, position_embeddings=rotary)
        for x, mask in zip(hidden, masks, strict=True)
    ]


def plain_pruned(weight: Tensor, sums: Tensor | None, method: str) -> Tensor:
    """Return one weight pruned by sorting everything."""
    if method == "sparsegpt":
        return plain_sparsegpt(weight.float(), sums).to(weight.dtype)
    if method == "magnitude":
        size = weight.abs()
        return weight * (size > size.flatten().sort().values[int(SPARSITY * size.numel())])
    score = weight.abs() * sums.sqrt()
    smallest = score.sort(dim=1, stable=True).indices[:, : int(SPARSITY * score.shape[1])]
    return weight.scatter(1, smallest, 0)


def plain_sparsegpt(weight: Tensor, hessian: Tensor) -> Tensor:
    """Return one weight pruned column by column, each error pushed into all later columns of its block at once."""
    weight, diagonal = weight.clone(), hessian.diagonal()
    weight[:, diagonal == 0] = 0
    diagonal[diagonal == 0] = 1
    diagonal += DAMPING * diagonal.mean()
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    for start in range(0, weight.shape[1], BLOCKSIZE):
        stop = min(start + BLOCKSIZE, weight.shape[1])
        part, u = weight[:, start:stop].clone(), factor[start:stop, start:stop]
        score, errors = (part / u.diagonal()).square(), torch.zeros_like(part)
        gone = score <= score.flatten().sort().values[int(SPARSITY * score.numel())]
        for j in range(stop - start):
            left = part[:, j].clone()
            left[gone[:, j]] = 0
            errors[:, j] = (part[:, j] - left) / u[j, j]
            part[:, j:] -= errors[:, j, None] @ u[None, j, j:]
            weight[:, start + j] = left
        weight[:, stop:] -= errors @ factor[start:stop, stop:]
    return weight


def line(what: str, ours: tuple[float, int], plain: tuple[float, int], remark: str = "") -> None:
    """Print seconds and GB of two ways and their ratios."""
    (s, m), (plain_s, plain_m) = ours, plain
    memory = f"{m / 1e9:6.2f} GB, plain {plain_m / 1e9:6.2f} GB, ratio {plain_m / max(m, 1):5.1f}"
    print(f"{what:12s} {s:8.2f} s, plain {plain_s:8.2f} s, ratio {plain_s / s:5.1f}   {memory}   {remark}", flush=True)


def compare_methods(model: nn.Module, ids: Tensor, batch: int) -> None:
    """Print each method; both ways prune a copy, made before the clock starts."""
    device = str(ids.device)
    for method in METHODS:
        copies = [copy.deepcopy(model) for _ in range(2)]
        ours = measured(partial(prune, copies[0], ids, method, SPARSITY, batch=batch, inplace=True), device)
        plain = measured(partial(plainly, copies[1], ids, method), device)
        table = overlap(*(kept(result[0]) for result in (ours, plain)))
        line(method, ours[1:], plain[1:], f"masks overlap {100 * table['jaccard'].mean():.2f} %")


def compare_streaming(folder: Path, ids: Tensor, batch: int) -> None:
    """Print the pruning of the checkpoint in folder/dense with Wanda, beside loading, pruning and saving it."""
    device = str(ids.device)
    options = {"batch": batch, "device": device}
    stream = partial(prune_checkpoint, folder / "dense", folder / "ours", ids, "wanda", SPARSITY, **options)
    ours, plain = measured(stream, device), measured(partial(whole, folder, ids, batch), device)
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in ours[0]["seconds"].items())
    line("checkpoint", ours[1:], plain[1:], stages)


def whole(folder: Path, ids: Tensor, batch: int) -> None:
    """Load a checkpoint, prune and save it."""
    model, _ = load(folder / "dense", device=ids.device)
    prune(model, ids, "wanda", SPARSITY, batch=batch, inplace=True).save_pretrained(folder / "plain")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="110m")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"))
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4, help="windows at a time, for our way")
    return parser.parse_args()


def main(asked: argparse.Namespace) -> None:
    """Print everything for one shape."""
    sizes, dtype = shape(asked.shape), getattr(torch, asked.dtype)
    ids = torch.randint(sizes["vocabulary"], (asked.windows, asked.length), generator=torch.Generator().manual_seed(0))
    ids = ids.to(asked.device)
    print(f"{asked.blocks} blocks of {asked.shape}, {asked.dtype}, {asked.windows} x {asked.length} tokens, ", end="")
    print(f"{asked.device}, {torch.get_num_threads()} thread(s)")
    compare_methods(random_model(sizes | {"layers": asked.blocks}, asked.device, dtype), ids, asked.batch)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random_model(sizes, asked.device, dtype).save_pretrained(folder / "dense")
        train_tokenizer(["tokens and tokens"], 300).save_pretrained(folder / "dense")
        compare_streaming(folder, ids[: max(1, asked.windows // 8)], asked.batch)


if __name__ == "__main__":
    main(arguments())
