"""Training from scratch: what is drawn, what is minimised, and what comes back from where it was stored."""

import inspect
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.language import pretraining
from tenfold.language.domains import domain
from tenfold.language.perplexity import losses
from tenfold.language.pretraining import HELD_OUT, SIZES, Mixture, next_token, pretrained, restore, sizes
from tenfold.language.tokenizer import from_json
from tenfold.language.windows import pack, stream_windows
from tenfold.runner import codec

SMALL = {"hidden": 32, "intermediate": 48, "layers": 1, "heads": 2, "vocabulary": 300, "context": 64, "length": 32}
SMALL |= {"steps": 40, "batch": 8, "warmup": 5, "characters": 8_000}
NAMES = ["arithmetic", "code"]


@pytest.fixture(scope="module")
def stored():
    return pretrained(NAMES, seed=1, **SMALL)


# What is drawn


def streams():
    """Streams of 40, 1000 and 7 tokens that tell where they come from."""
    return [torch.arange(40), torch.arange(1000, 2000), torch.arange(5000, 5007)]


def test_windows_are_slices_of_one_stream_each_as_likely():
    data = Mixture(streams(), 6, 50)
    windows = torch.cat([batch[0] for (batch,) in data.batches([0], 1, 60)])
    assert windows.shape == (3000, 7)
    assert bool((windows.diff(dim=1) == 1).all())
    shares = [((windows[:, 0] // 1000).clamp(max=2) == i).float().mean().item() for i in (0, 1, 2)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)  # 4.6 standard deviations
    assert set(windows[windows[:, 0] < 40][:, 0].tolist()) == set(range(34))
    assert set(windows[windows[:, 0] >= 5000][:, 0].tolist()) == {5000}


def test_what_is_drawn_follows_from_seed_and_epoch():
    data = Mixture(streams(), 6, 3)

    def drawn(seed, epoch):
        return torch.cat([batch[0] for (batch,) in data.batches([seed], epoch, 8)])

    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))
    both = torch.cat([batch for (batch,) in data.batches([0, 1], 1, 8)], dim=1)
    assert torch.equal(both[0], drawn(0, 1))
    assert torch.equal(both[1], drawn(1, 1))


def test_processes_share_a_batch_between_them():
    data = Mixture(streams(), 6, 2)
    whole = [batch for (batch,) in data.batches([0], 1, 5)]
    parts = [[batch for (batch,) in data.batches([0], 1, 5, share=(rank, 2))] for rank in (0, 1)]
    for step, batch in enumerate(whole):
        assert torch.equal(batch[:, 0::2], parts[0][step])
        assert torch.equal(batch[:, 1::2], parts[1][step])
    assert data.steps(5) == 2
    with pytest.raises(InputError, match="shared by 6"):
        data.steps(5, processes=6)


def test_a_digest_knows_its_streams():
    same, other = Mixture(streams(), 6, 2), streams()
    other[1] = other[1].flip(0)
    assert Mixture(streams(), 6, 2).digest() == same.digest()
    assert Mixture(other, 6, 2).digest() != same.digest()
    with pytest.raises(InputError, match="7 tokens does not fill a window of 7"):
        Mixture(streams(), 7, 2)


def test_each_token_predicts_the_next():
    """A model of the table p(b | a) = exp(T_ab) / sum: the loss is the mean of -ln p over all pairs."""
    table = torch.randn(9, 9, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(9, (1, 4, 6), generator=torch.Generator().manual_seed(1))
    model = lambda input_ids, use_cache: SimpleNamespace(logits=table[input_ids])  # noqa: E731
    terms = [-table[a].log_softmax(0)[b].item() for row in ids[0] for a, b in itertools.pairwise(row)]
    found = next_token(SimpleNamespace(model=model), ids)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(sum(terms) / 20, rel=1e-6)


# What comes back


def test_it_learns(stored):
    history = stored["history"]
    assert list(history["epoch"]) == [1, 2]
    assert history["held_out_arithmetic"].iloc[-1] < 0.8 * math.log(300)
    assert history["held_out_code"].iloc[-1] < 0.98 * math.log(300)
    assert history["lr"].iloc[-1] == pytest.approx(3e-3 * 0.05, rel=0.05)


def test_what_was_stored_gives_the_model_back(stored, tmp_path):
    """Written and read as the runner does, it predicts the held-out text as the trained model did."""
    codec.write_value(tmp_path / "value", stored)
    model, tokenizer = restore(codec.read_value(tmp_path / "value"))
    for name in NAMES:
        held = pack(domain(name, characters=SMALL["characters"], seed=0).test, tokenizer)
        value = losses(model, stream_windows(held, SMALL["length"] + 1, HELD_OUT)).mean().item()
        assert value == stored["history"][f"held_out_{name}"].iloc[-1]
    assert not model.training


def test_training_what_was_restored_leaves_the_stored_alone(stored):
    before = {name: value.copy() for name, value in stored["weights"].items()}
    model, _ = restore(stored)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert all(np.array_equal(before[name], value) for name, value in stored["weights"].items())


def test_the_seed_changes_weights_and_not_the_tokenizer(stored):
    short = {**SMALL, "steps": 2}
    first, again, other = (pretrained(NAMES, seed=seed, **short) for seed in (1, 1, 2))
    assert all(np.array_equal(first["weights"][name], again["weights"][name]) for name in first["weights"])
    name = "model.layers.0.self_attn.q_proj.weight"
    assert np.corrcoef(first["weights"][name].flat, other["weights"][name].flat)[0, 1] < 0.2
    assert first["tokenizer"] == other["tokenizer"] == stored["tokenizer"]
    assert len(from_json(first["tokenizer"])) == 300


def test_a_finished_checkpoint_is_not_trained_again(stored, tmp_path):
    path = tmp_path / "training.pt"
    short = {**SMALL, "steps": 20}
    first = pretrained(NAMES, seed=1, **short, checkpoint=tmp_path)
    written = path.stat().st_mtime_ns
    again = pretrained(NAMES, seed=1, **short, checkpoint=str(tmp_path))
    assert path.stat().st_mtime_ns == written
    assert all(np.array_equal(first["weights"][name], again["weights"][name]) for name in first["weights"])
    with pytest.raises(InputError, match="another training"):
        pretrained(NAMES, seed=1, **{**short, "lr": 1e-3}, checkpoint=tmp_path)


def test_an_interrupted_training_resumes_from_its_folder(tmp_path, monkeypatch):
    """Stopped in epoch 12 of 20, it goes on behind epoch 10, and has the same bits in the end."""
    monkeypatch.setattr(pretraining, "EPOCH", 2)
    whole, drawn, batches = pretrained(NAMES, seed=1, **SMALL), [], Mixture.batches

    def stopping(self, seeds, epoch, *arguments):
        drawn.append(epoch)
        if drawn.count(12) == 1 and epoch == 12:
            raise KeyboardInterrupt
        return batches(self, seeds, epoch, *arguments)

    monkeypatch.setattr(Mixture, "batches", stopping)
    with pytest.raises(KeyboardInterrupt):
        pretrained(NAMES, seed=1, **SMALL, checkpoint=tmp_path)
    resumed = pretrained(NAMES, seed=1, **SMALL, checkpoint=tmp_path)
    assert drawn == [*range(1, 13), *range(11, 21)]
    assert all(np.array_equal(value, resumed["weights"][name]) for name, value in whole["weights"].items())
    assert list(resumed["history"].loss) == list(whole["history"].loss)


def test_sizes_are_arguments_of_a_training():
    parameters = inspect.signature(pretrained).parameters
    assert all(set(size) <= set(parameters) for size in SIZES.values())
    assert {name: parameters[name].default for name in SIZES["laptop"]} == SIZES["laptop"]
    changed = sizes("laptop")
    changed["layers"] = 0
    assert sizes("laptop")["layers"] == 4
    with pytest.raises(InputError, match="did you mean 'laptop'"):
        sizes("laptops")


def test_weights_of_another_size_are_refused(stored):
    with pytest.raises(InputError, match="do not fit"):
        restore({**stored, "config": stored["config"] | {"hidden": 64}})


@pytest.mark.parametrize(
    ("names", "change", "message"),
    [
        ([], {}, "one domain or more"),
        (["code", "code"], {}, "each once"),
        (["codes"], {}, "did you mean 'code'"),
        (["code"], {"length": 65}, r"length in 1 \.\.\. 64"),
        (["code"], {"steps": 0}, "steps, batch >= 1"),
        (["code"], {"characters": 30}, "does not fill a window"),
        (["code"], {"characters": 120}, "held-out documents of code"),
    ],
)
def test_what_cannot_be_trained(names, change, message):
    with pytest.raises(InputError, match=message):
        pretrained(names, **SMALL | change)
