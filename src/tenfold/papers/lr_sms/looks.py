"""The look of networks: names, colours, markers."""

from __future__ import annotations

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

NAMES = {
    "dense": "dense",
    "attention": r"attention, $\rho$ = 0.12",
    "ff": r"feed-forward, $\rho$ = 0.5",
    "both": "both, uniform",
    "rand": "both, random start",
    "increasing": "both, increasing",
    "decreasing": "both, decreasing",
    "narrow": "narrower dense",
    "least": "both, least rank",
    "cut": "dense, cut by SVD",
    "tuned": "dense, cut, trained on",
}
COLOURS = {
    "dense": BLACK,
    "attention": BLUE,
    "ff": VERMILLION,
    "both": GREEN,
    "rand": ORANGE,
    "increasing": PURPLE,
    "decreasing": SKY,
    "narrow": GREY,
    "least": GREY,
    "cut": ORANGE,
    "tuned": BLUE,
}
STARTS = {
    "dense": ("dense", BLACK, "s"),
    "svd": ("SVD", GREEN, "o"),
    "rand": ("random", ORANGE, "^"),
    "xavier": ("Xavier", BLUE, "v"),
    "zero": ("U = 0", VERMILLION, "D"),
    "orth": ("orthogonal", PURPLE, "P"),
}
BAR = {"elinewidth": 0.7, "capsize": 0, "ms": 4, "lw": 1.0}
VOICES = {"test": "known voices", "unseen": "unseen voice"}
WER = "word error rate, %"
