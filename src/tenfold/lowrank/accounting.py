"""What a network of low rank holds: ranks and parameters beside each other, since one does not tell the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tenfold.language.llama import LINEARS
from tenfold.lowrank.factors import break_even
from tenfold.lowrank.layers import LowRankLinear
from tenfold.lowrank.maps import Names, block_of, maps

if TYPE_CHECKING:
    import pandas as pd


def accounting(model: nn.Module, names: Names = LINEARS) -> pd.DataFrame:
    """Return one row per linear map of a network, compressed or not.

    Columns name (full), block (number, None where there is none), linear (last name), m, n (out, in), full_rank
    p = min(m, n), rank r, err = 1 - r/p, low_rank (stored as factors), break_even = m n / (m + n), parameters
    (r (m + n), dense m n, and the bias), dense_parameters, share (of the two), macs and dense_macs (multiply-adds
    per token: r (m + n) and m n). Raises InputError as `maps`. Sources: arXiv 2407.11239, arXiv 2410.07771.
    """
    import pandas as pd

    rows = []
    for name, module in maps(model, names).items():
        m, n, low = module.out_features, module.in_features, isinstance(module, LowRankLinear)
        full, bias = min(m, n), 0 if module.bias is None else m
        rank = module.rank if low else full
        macs = rank * (m + n) if low else m * n
        row = {"name": name, "block": block_of(name), "linear": name.rpartition(".")[2], "m": m, "n": n}
        row |= {"full_rank": full, "rank": rank, "err": 1 - rank / full, "low_rank": low}
        row |= {"break_even": break_even(m, n), "parameters": macs + bias, "dense_parameters": m * n + bias}
        row |= {"share": (macs + bias) / (m * n + bias), "macs": macs, "dense_macs": m * n}
        rows.append(row)
    return pd.DataFrame(rows)


def totals(model: nn.Module, names: Names = LINEARS) -> dict[str, float]:
    """Return the sums over all maps: ERR and parameters of one network, side by side.

    err = 1 - sum r / sum p; share: parameters of the maps over those of dense ones; model_share: the same of the whole
    network; parameters (of the maps), model_parameters, macs_share; low_rank and dense: numbers of maps; lrc_share: of
    the maps' parameters, those in factors. Source: arXiv 2407.11239.
    """
    table = accounting(model, names)
    held, dense = int(table["parameters"].sum()), int(table["dense_parameters"].sum())
    whole = sum(parameter.numel() for parameter in model.parameters())
    return {
        "err": 1 - int(table["rank"].sum()) / int(table["full_rank"].sum()),
        "share": held / dense,
        "model_share": whole / (whole - held + dense),
        "parameters": held,
        "model_parameters": whole,
        "macs_share": int(table["macs"].sum()) / int(table["dense_macs"].sum()),
        "low_rank": int(table["low_rank"].sum()),
        "dense": int((~table["low_rank"]).sum()),
        "lrc_share": int(table.loc[table["low_rank"], "parameters"].sum()) / held,
    }
