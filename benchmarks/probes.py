"""Speed of the probes, beside the plain torch loop on the same rows.

    OMP_NUM_THREADS=1 python benchmarks/probes.py

4,994 rows of 128 random features and nine shares, the official split (3,595 rows train in batches of 128), one hidden
layer of 64: seconds per epoch of one probe, validation included, for several probes at once.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from stopwatch import best_time
from tenfold.urban.probes import Protocol, fit_probes
from tenfold.urban.splits import Split, official_split

ROWS, WIDTH, SHARES, EPOCHS = 4994, 128, 9, 10


def plain(features: torch.Tensor, targets: torch.Tensor, split: Split) -> None:
    """Train one probe with modules, autograd and torch.optim."""
    train, validation, _ = map(torch.from_numpy, split)
    network = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, SHARES))
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=1e-3), nn.KLDivLoss(reduction="batchmean")
    for _ in range(EPOCHS):
        for rows in train[torch.randperm(len(train))].split(128):
            optimizer.zero_grad()
            loss(network(features[rows]).log_softmax(1), targets[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            loss(network(features[validation]).log_softmax(1), targets[validation]).item()


def compare_probes() -> None:
    """Print milliseconds per epoch and probe, ours and theirs."""
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(ROWS, WIDTH)).astype(np.float32), rng.dirichlet(np.ones(SHARES), ROWS)
    split, protocol = official_split(ROWS), Protocol(epochs=EPOCHS, patience=EPOCHS)
    tensors = torch.from_numpy(features), torch.from_numpy(targets).float()
    theirs = best_time(lambda: plain(*tensors, split), 3) / EPOCHS * 1e3
    for kind in ("linear", "mlp"):
        for count in (1, 5, 18, 96):
            call = partial(fit_probes, features, targets, split, range(count), kind, protocol=protocol)
            ours = best_time(call, 3) / EPOCHS / count * 1e3
            line = f"{kind:6s} {count:3d} probes {ours:6.2f} ms per epoch and probe"
            print(line + (f"   torch loop {theirs:6.2f} ms   ratio {theirs / ours:5.1f}" if kind == "mlp" else ""))


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} thread(s)")
    compare_probes()
