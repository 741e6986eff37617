"""The vector encoder of a driver: objects and route of a scene become tokens of a language model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.errors import InputError

# Features of a row of each kind, in the order in which a scene is given.
FEATURES = {"route": 17, "vehicles": 33, "pedestrians": 9, "ego": 31}
ROUTE_POINTS = 30


class VectorEncoder(nn.Module):
    """Perceiver of a scene: tokens (n, queries, llm_dim) from route, vehicles, pedestrians and the own car.

    Each row goes through an MLP (in, d, d) with ReLU; route tokens get a learned position. Latents: learned ones plus
    a projection of the own car's feature, h = l + FFN(LN l), then a cross-attention block on the tokens of the route
    and of active rows, self-attention blocks, and learned queries that attend to the latents; LayerNorm, and a
    projection to the language model. A block is x + Attn(LN x), x + FFN(LN x) with FFN d -> 4d -> d (GELU, no biases).
    The paper's sizes 256, 32, 7, 64, 4096 have 7.96 M weights and 1.05 M in the projection. Raises InputError for sizes
    that do not fit. Source: arXiv 2310.01957.
    """

    def __init__(
        self,
        model_dim: int = 256,
        latents: int = 32,
        self_blocks: int = 7,
        queries: int = 64,
        llm_dim: int = 4096,
        heads: int = 8,
    ):
        super().__init__()
        if min(model_dim, latents, queries, llm_dim, heads) < 1 or self_blocks < 0 or model_dim % heads:
            raise InputError(f"an encoder of width {model_dim} cannot have {heads} heads, or a size is below 1")
        self.rows = nn.ModuleDict({name: _mlp(features, model_dim) for name, features in FEATURES.items()})
        self.route_position = nn.Parameter(torch.randn(ROUTE_POINTS, model_dim) / math.sqrt(model_dim))
        self.latents = nn.Parameter(0.02 * torch.randn(latents, model_dim))
        self.queries = nn.Parameter(0.02 * torch.randn(queries, model_dim))
        self.from_ego = nn.Linear(model_dim, model_dim, bias=False)
        self.mix = nn.Sequential(nn.LayerNorm(model_dim), _ffn(model_dim))
        self.read = Block(model_dim, 1, crossing=True)
        self.blocks = nn.ModuleList([Block(model_dim, heads) for _ in range(self_blocks)])
        self.write = Block(model_dim, 1, crossing=True)
        self.norm = nn.LayerNorm(model_dim)
        self.project = nn.Linear(model_dim, llm_dim)

    def forward(self, route: Tensor, vehicles: Tensor, pedestrians: Tensor, ego: Tensor) -> Tensor:
        """Return vector tokens (n, queries, llm_dim) of route (n, 30, 17), objects (n, k, f) and own car (n, 31)."""
        context, active = self._context(route, vehicles, pedestrians)
        h = self.latents + self.from_ego(self.rows["ego"](ego))[:, None]
        h = h + self.mix(h)
        h = self.read(h, context, active)
        for block in self.blocks:
            h = block(h)
        out = self.write(self.queries.expand(len(h), -1, -1), h)
        return self.project(self.norm(out))

    def _context(self, route: Tensor, vehicles: Tensor, pedestrians: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens (n, k, d) that may be attended to, and which of them exist; those of the route all do."""
        tokens = [self.route_position + self.rows["route"](route)]
        active = [torch.ones(route.shape[:2], dtype=torch.bool, device=route.device)]
        for name, rows in (("pedestrians", pedestrians), ("vehicles", vehicles)):
            there = rows[..., 0] != 0
            token = tokens[0].new_zeros(*there.shape, tokens[0].shape[-1])
            # Only rows that exist: the others would be most of the work, and of what a pruning statistic counts.
            token[there] = self.rows[name](rows[there])
            tokens.append(token)
            active.append(there)
        return torch.cat(tokens, dim=1), torch.cat(active, dim=1)


class Block(nn.Module):
    """x + Attn(LN x), then x + FFN(LN x); a crossing block attends to a context with a LayerNorm of its own."""

    def __init__(self, dim: int, heads: int, crossing: bool = False):
        super().__init__()
        self.heads = heads
        self.norm, self.ffn_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim) if crossing else None
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.ffn = _ffn(dim)

    def forward(self, x: Tensor, context: Tensor | None = None, active: Tensor | None = None) -> Tensor:
        """Return x (n, q, d) after attention to itself, or to the tokens of context (n, k, d) that are active."""
        h = self.norm(x)
        q = self._split(self.q(h), 1)[0]
        k, v = self._split(self._key_values(h if context is None else context, active), 2)
        mask = None if active is None else active[:, None, None]
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.ffn(self.ffn_norm(x))

    def _key_values(self, context: Tensor, active: Tensor | None) -> Tensor:
        norm = self.context_norm or nn.Identity()
        if active is None:
            return self.kv(norm(context))
        kv = context.new_zeros(*context.shape[:-1], 2 * context.shape[-1])
        kv[active] = self.kv(norm(context[active]))
        return kv

    def _split(self, x: Tensor, parts: int) -> list[Tensor]:
        """Return the parts of x (n, t, parts d), each as (n, heads, t, d / heads)."""
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in x.chunk(parts, dim=-1)]


def input_layers(encoder: VectorEncoder) -> dict[str, nn.Linear]:
    """Return the four maps that see raw features, by name: few inputs each, so that pruning them loses features."""
    return {f"rows.{name}.0": mlp[0] for name, mlp in encoder.rows.items()}


def linears(encoder: VectorEncoder, project: bool = True, keep_input_layers: bool = False) -> dict[str, nn.Linear]:
    """Return the prunable maps of an encoder by name, in forward order.

    project: with the map to the language model; keep_input_layers: without those of `input_layers`.
    """
    found = {name: module for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    left_out = set(input_layers(encoder) if keep_input_layers else ()) | (set() if project else {"project"})
    return {name: module for name, module in found.items() if name not in left_out}


def _mlp(features: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, dim), nn.ReLU(), nn.Linear(dim, dim))


def _ffn(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, 4 * dim, bias=False), nn.GELU(), nn.Linear(4 * dim, dim, bias=False))
