"""Matrices, spectra and small networks for several tests."""

import torch

from tenfold.language.llama import tiny

SIZES = {"vocabulary": 120, "hidden": 32, "intermediate": 48, "layers": 3, "heads": 2, "context": 64}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(m, n, seed=0, decay=0.0):
    """A random matrix; with `decay` its singular values fall like exp(-decay i)."""
    w = torch.randn(m, n, generator=seeded(seed))
    if not decay:
        return w
    u, _, vh = torch.linalg.svd(w.double(), full_matrices=False)
    s = torch.exp(-decay * torch.arange(min(m, n), dtype=torch.float64))
    return (u * s @ vh).float()


def orthogonal(n, seed=0):
    return torch.linalg.qr(torch.randn(n, n, generator=seeded(seed), dtype=torch.float64))[0]


def llama(seed=0, **sizes):
    """A tiny Llama whose matrices have spectra of several widths, so that some are of low rank and some are not."""
    model = tiny(**SIZES | sizes, seed=seed)
    generator = seeded(seed + 1)
    with torch.no_grad():
        for i, (name, p) in enumerate(model.named_parameters()):
            if p.ndim == 2 and "_proj" in name:
                u, s, vh = torch.linalg.svd(p, full_matrices=False)
                steep = 0.02 + 0.25 * float(torch.rand(1, generator=generator)) * (i % 3)
                s = s[0] * torch.exp(-steep * torch.arange(len(s)))
                p.copy_(u * s @ vh * 5)
    return model


def ids(rows=4, length=16, vocabulary=120, seed=0):
    return torch.randint(vocabulary, (rows, length), generator=seeded(seed))


def logits(model, rows=None):
    with torch.no_grad():
        return model(ids() if rows is None else rows).logits
