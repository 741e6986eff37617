"""Effects of welore: what claims compare, on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from tenfold.papers.welore import effects, tables
from tenfold.papers.welore.looks import LINEAR, METHOD


def ranks(blocks=32, seeds=(0, 1)):
    rows = [(by, err, seed, linear, b) for by in ("minmax", "raw") for err in (0.5, 0.7) for seed in seeds
            for linear in LINEAR for b in range(blocks)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["by", "err", "seed", "linear", "block"])
    kept = np.where(table.linear.isin(["q_proj", "k_proj"]), 0.2, 0.8) + 0.01 * table.seed
    ends = (table.block < 2) | (table.block >= blocks - 2)
    return table.assign(kept=np.where((table.by == "minmax") & (table.err == 0.5), kept - 0.1 * ends, 9.0))


def curves(seeds=(0, 1, 2)):
    rows = []
    for seed in seeds:
        rows += [("dense", 0.0, seed, part, 0.0, 1.0, 3.0 + part) for part in (0, 1)]
        for target, share, loss in ((0.3, 1.1, 3.1), (0.5, 0.8, 3.2), (0.7, 0.4, 4.0)):
            rows += [("uniform", target, seed, part, target, share, loss + part) for part in (0, 1)]
        rows += [("welore-lrc", 0.7, seed, part, 0.7, 0.6, 3.3 + part) for part in (0, 1)]
    table = pd.DataFrame(rows, columns=["method", "target", "seed", "part", "err", "share", "loss"])
    return table.assign(test="c4")


def history():
    rows = []
    for seed in (0, 1):
        for method, ends in {"welore": (3.1, 3.0), "full": (3.05, 3.4)}.items():
            for rate, end in zip((1e-4, 1e-3), ends, strict=True):
                rows += [(method, 0.5, rate, seed, 0, np.nan, 3.5), (method, 0.5, rate, seed, 5, 3.2, np.nan)]
                rows += [(method, 0.5, rate, seed, 10, 3.1, end + seed)]
    table = pd.DataFrame(rows, columns=["method", "err", "rate", "seed", "step", "loss", "held"])
    return table.assign(part=0)


def test_kinds_of_maps_are_averaged_over_blocks_at_half_the_rank():
    table = effects.modules(ranks(), "seed").set_index("replicate")
    assert table.qk[0] == pytest.approx(0.2 - 0.1 * 4 / 32) and table.vud[1] == pytest.approx(0.81 - 0.1 * 4 / 32)
    assert list(table.index) == [0, 1] and len(effects.modules(ranks(seeds=(0,)), "block")) == 32


@pytest.mark.parametrize(("blocks", "edge"), [(32, 2), (40, 2), (12, 1), (4, 1)])
def test_ends_are_the_outer_sixteenth(blocks, edge):
    assert effects.edge(blocks) == edge


def test_ends_and_middle():
    table = effects.depth(ranks(), "linear").set_index("replicate")
    assert (table.middle - table.ends).to_numpy() == pytest.approx(np.full(7, 0.1))


def test_losses_are_means_over_tests_by_replicate():
    table = effects.losses(curves(), "part").set_index("replicate")
    assert table.dense.tolist() == [3.0, 4.0] and table.uniform_70[1] == pytest.approx(5.0)
    assert effects.perplexities(curves(), "part").welore_lrc_70[0] == pytest.approx(np.exp(3.3))


def test_equal_parameters_are_interpolated_below_the_size_of_the_dense_model():
    table = effects.equal_parameters(curves(), "seed")
    assert table.uniform.to_numpy() == pytest.approx(np.full(3, 4.1)), "halfway between 0.8 and 0.4, both parts"
    assert table.welore.to_numpy() == pytest.approx(np.full(3, 3.8)) and (table.share == 0.6).all()


def test_each_method_keeps_its_best_rate():
    found = effects.best(history())
    assert found.groupby("method").rate.unique().map(list).to_dict() == {"welore": [1e-3], "full": [1e-4]}
    table = effects.tuned(history(), "seed").set_index("replicate")
    assert table.welore_50.tolist() == [3.0, 4.0] and table.full_50.tolist() == [3.05, 4.05]
    assert table.before_50.tolist() == [3.5, 3.5]


def test_costs_are_over_full_fine_tuning():
    names = ["seed", "err", "method", "trainable", "macs", "bytes", "tokens_per_second"]
    rows = [(0, 0.5, "full", 10, 30, 100, 4.0), (0, 0.5, "welore", 3, 24, 50, 5.0), (0, 0.5, "n-lrc", 7, 28, 80, 4.0)]
    row = effects.costs(pd.DataFrame(rows, columns=names)).iloc[0]
    assert (row.welore_share, row.welore_work, row.welore_bytes, row.welore_speed) == (0.3, 0.8, 0.5, 1.25)
    assert row.n_lrc_share == 0.7 and "lora_share" not in row


def film(sign):
    names = [f"model.layers.{b}.self_attn.{linear}" for b in range(4) for linear in LINEAR]
    kept = pd.DataFrame({"name": names, "block": np.repeat(range(4), 7), "linear": list(LINEAR) * 4})
    kept = kept.assign(kept=np.linspace(0.1, 0.9, 28))
    frames = [
        kept.assign(step=step, cosine=sign * kept.kept if step > 20 else -sign * kept.kept) for step in (10, 30, 40)
    ]
    table = pd.concat([kept.assign(step=step, stable_rank=rank) for step, rank in ((40, 10.0), (0, 40.0))])
    return {"ranks": kept, "adjacent": pd.concat(frames), "table": table, "seed": 0}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_link_looks_at_the_second_half_of_the_training(sign):
    row = effects.gradients([film(sign)], "seed").iloc[0]
    assert row.correlation == pytest.approx(sign) and row.fall == pytest.approx(0.25)
    kept = np.linspace(0.1, 0.9, 28)
    assert row.qk == pytest.approx(kept[:2].mean()) and row.updown == pytest.approx(kept[14 + 5 : 14 + 7].mean())


def test_published_values_stand_alone_unless_the_model_is_the_papers():
    table = tables.first(curves(), "llama2_7b").set_index(["model", "err", "method"])
    uniform = METHOD["uniform"][0]
    assert table.ours["LLaMA-2 7B", 0.3, uniform] == pytest.approx(np.exp(3.6))
    assert np.isnan(table.ours["LLaMA-2 13B", 0.3, uniform]) and table.published["LLaMA-2 7B", 0.3, uniform] == 91.99
    assert tables.first(curves(), "").ours.isna().all()
    fourth = tables.fourth(history(), "llama2_7b")
    mine = fourth[(fourth.model == "LLaMA-2 7B") & (fourth.err == 0.5) & fourth.method.str.contains("WeLore")]
    assert mine.published.tolist() == [11.87] and mine.ours.tolist() == [pytest.approx(np.exp(3.5))]
