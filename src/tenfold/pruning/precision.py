"""Matrix products in true float32, whatever shortcuts the caller has allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

EXACT = ("none", "ieee")


@contextmanager
def full_float32() -> Iterator[None]:
    """Switch TF32 and its like off for the products inside: Hessians and their factors do not bear 10 bits."""
    places = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
    shortened = [(place, place.fp32_precision) for place in places if place.fp32_precision not in EXACT]
    for place, _ in shortened:
        place.fp32_precision = "ieee"
    try:
        yield
    finally:
        for place, precision in shortened:
            place.fp32_precision = precision
