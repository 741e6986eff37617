"""How methods and maps look in every figure."""

from __future__ import annotations

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from tenfold.papers.welore.plans import METHODS, TUNINGS

COLOUR = {
    "uniform": (GREY, "o"),
    "owl": (ORANGE, "v"),
    "welore": (VERMILLION, "D"),
    "welore-lrc": (BLUE, "s"),
    "max": (GREEN, "^"),
    "raw": (PURPLE, "P"),
    "energy": (SKY, "X"),
    "asvd": (GREEN, "^"),
    "whitened": (SKY, "X"),
    "welore-asvd": (PURPLE, "P"),
    "welore-whitened": (BLACK, "*"),
}
METHOD = {name: (method.label, *COLOUR[name]) for name, method in METHODS.items()}
PANELS = {
    "ranks by": ("uniform", "owl", "welore", "welore-lrc"),
    "one threshold on": ("welore", "max", "raw", "energy"),
    "SVD of W or W T": ("uniform", "asvd", "whitened", "welore", "welore-asvd", "welore-whitened"),
}
"""Panels of the curves: what differs in each."""

TUNING = {
    "welore": (TUNINGS["welore"].label, VERMILLION, "D"),
    "n-lrc": (TUNINGS["n-lrc"].label, BLUE, "s"),
    "full": (TUNINGS["full"].label, BLACK, "o"),
    "lora": (TUNINGS["lora"].label, GREEN, "^"),
    "galore": (TUNINGS["galore"].label, ORANGE, "v"),
}
LINEAR = {
    "q_proj": VERMILLION,
    "k_proj": ORANGE,
    "v_proj": PURPLE,
    "o_proj": GREEN,
    "gate_proj": SKY,
    "up_proj": BLUE,
    "down_proj": BLACK,
}
BAR = {"capsize": 1.5, "lw": 1.0, "elinewidth": 0.7, "ms": 3.5}
EXCESS = "loss added, nats per token"


def short(linear: str) -> str:
    """Return the name of a map without its ending."""
    return linear.removesuffix("_proj")
