"""Low-rank adapters: a frozen linear map and a trained product of two thin matrices beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.language.llama import ATTENTION
from tenfold.language.shards import header

CONFIG, SAFE, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
# Variants of an adapter that mean another sum than W + (alpha/r) B A.
VARIANTS = ("use_dora", "use_rslora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern")


class LoRALinear(nn.Module):
    """A linear map with a low-rank addition: y = W x + b + (alpha/r) B A dropout(x).

    base: W (d_out, d_in), frozen; A (r, d_in), uniform as `nn.Linear` starts, drawn from `generator` (None: seed 0);
    B (d_out, r), zero at the start, so that nothing changes before training. Raises InputError for a rank outside
    1 ... min(d_in, d_out), and a dropout outside [0, 1). Source: arXiv 2106.09685.
    """

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if not 1 <= rank <= min(base.weight.shape):
            raise InputError(f"the rank of an adapter lies in 1 ... {min(base.weight.shape)}, not {rank}")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout lies in [0, 1), not {dropout}")
        self.base, self.scale, self.dropout = base.requires_grad_(False), alpha / rank, dropout
        bound = 1 / math.sqrt(base.in_features)
        numbers = generator or torch.Generator().manual_seed(0)
        start = torch.rand(rank, base.in_features, generator=numbers, device=numbers.device) * 2 * bound - bound
        self.A = nn.Parameter(start.to(base.weight))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Return y (..., d_out) of x (..., d_in)."""
        inner = functional.linear(functional.dropout(x, self.dropout, self.training), self.A)
        return self.base(x) + self.scale * functional.linear(inner, self.B)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the map W + (alpha/r) B A; the sum is formed in float32 and rounded once to the type of W."""
        weight = self.base.weight
        weight.copy_(torch.addmm(weight.float(), self.B.float(), self.A.float(), alpha=self.scale))
        return self.base.requires_grad_(True)


def attach(
    model: nn.Module,
    rank: int,
    alpha: float,
    names: Sequence[str] = ATTENTION,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Put an adapter on every linear map whose last name is in `names`, freeze the rest, and return the model.

    Raises InputError where no map has such a name, or a model that has adapters already.
    """
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise InputError("the model has adapters already: merge them first")
    places = [place for place in _linears(model) if place[2] in names]
    missing = sorted(set(names) - {name for _, _, name in places})
    if missing:
        raise InputError(f"no linear map of a {type(model).__name__} is named {', '.join(missing)}")
    numbers = generator or torch.Generator().manual_seed(0)
    adapters = [LoRALinear(getattr(parent, name), rank, alpha, dropout, numbers) for _, parent, name in places]
    model.requires_grad_(False)
    for (_, parent, name), adapter in zip(places, adapters, strict=True):
        setattr(parent, name, adapter.requires_grad_(True))
        adapter.base.requires_grad_(False)
    return model


def merge(model: nn.Module) -> nn.Module:
    """Replace every adapter by the plain map W + (alpha/r) B A, in place, and return the model.

    A pruned map whose adapter is merged afterwards is dense again: merge first, then prune.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoRALinear):
                setattr(parent, name, child.merged())
    return model.requires_grad_(True)


def load_adapter(model: nn.Module, folder: str | Path) -> nn.Module:
    """Attach the adapter that a folder holds in the layout of the library peft, and return the model.

    The folder holds adapter_config.json (r, lora_alpha, target_modules) and adapter_model.safetensors, or
    adapter_model.bin, which is read without unpickling objects. Raises InputError for a missing or damaged file,
    variants of adapters (DoRA and the like), and tensors that do not fit the model.
    """
    folder = Path(folder)
    settings = _settings(folder / CONFIG)
    stored = _stored(folder)
    parts = dict(_named(stored))
    names = {name.rpartition(".")[2] for name in parts}
    if names != set(settings["target_modules"]):
        raise InputError(f"{folder.name} holds adapters of {sorted(names)}, its configuration names others")
    where = {name: (parent, last) for name, parent, last in _linears(model)}
    for name, found in parts.items():
        if name not in where:
            raise InputError(f"{folder.name} holds an adapter of {name}, which the model has not")
        base = getattr(*where[name])
        wanted = ((settings["r"], base.in_features), (base.out_features, settings["r"]))
        if tuple(tuple(found[side].shape) if side in found else None for side in "AB") != wanted:
            raise InputError(f"the adapter of {name} in {folder.name} does not fit the model: it needs {wanted}")
    model.requires_grad_(False)
    for name, found in parts.items():
        parent, last = where[name]
        adapter = LoRALinear(getattr(parent, last), settings["r"], settings["lora_alpha"], settings["lora_dropout"])
        adapter.A.data.copy_(found["A"])
        adapter.B.data.copy_(found["B"])
        setattr(parent, last, adapter)
    return model


def _linears(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield the full name, the parent and the last name of every linear map."""
    for path, parent in list(model.named_modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                yield f"{path}.{name}" if path else name, parent, name


def _settings(path: Path) -> dict:
    """Return the checked configuration of an adapter."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        settings = {"lora_dropout": 0.0} | found
        r, targets = settings["r"], settings["target_modules"]
        fine = isinstance(r, int) and isinstance(targets, list) and settings["lora_alpha"] > 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.parent.name} holds no adapter: {CONFIG} is missing or damaged") from error
    variant = [name for name in VARIANTS if settings.get(name)]
    if not fine or variant or settings.get("bias", "none") != "none" or settings.get("peft_type", "LORA") != "LORA":
        kind = ", ".join(variant) or "another kind of adapter"
        raise InputError(f"{path.parent.name}: only plain LoRA is known, not {kind}")
    return settings


def _stored(folder: Path) -> Mapping[str, Tensor]:
    if (folder / SAFE).is_file():
        from safetensors.torch import load_file

        header(folder / SAFE)
        return load_file(folder / SAFE)
    try:
        return torch.load(folder / PICKLED, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{folder.name} holds no adapter: {SAFE} is missing") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        raise InputError(f"{PICKLED} of {folder.name} is damaged, or holds more than tensors") from error


def _named(stored: Mapping[str, Tensor]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the name of each map with its matrices A and B."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in stored.items():
        name, side, last = key.removeprefix("base_model.model.").rpartition(".lora_")
        kind, _, rest = last.partition(".")
        if not side or kind not in ("A", "B") or rest not in ("weight", "default.weight"):
            raise InputError(f"an adapter holds '{key}', which is no matrix of plain LoRA")
        found.setdefault(name, {})[kind] = value
    yield from found.items()
