"""Perplexity: uniform logits give the vocabulary, windows are cut as written, padding does not count."""

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.language.llama import tiny
from tenfold.language.perplexity import bits_per_byte, losses, perplexity
from tenfold.language.tokenizer import train_tokenizer
from tenfold.language.windows import Windows, pack

VOCABULARY = 50
IDS = torch.randint(VOCABULARY, (107,), generator=torch.Generator().manual_seed(0))
TABLE = torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(1))


def uniform(ids):
    return torch.zeros(*ids.shape, VOCABULARY)


def bigram(ids):
    """Logits that depend on the token before alone."""
    return SimpleNamespace(logits=TABLE[ids])


@pytest.fixture(scope="module")
def llama():
    return tiny(VOCABULARY, 32, 48, 2, 2, 32, seed=2)


@pytest.mark.parametrize("window", [2, 10, 107])
def test_uniform_logits_give_the_size_of_the_vocabulary(window):
    assert perplexity(uniform, IDS, window) == pytest.approx(VOCABULARY, rel=1e-6)


def test_windows_are_cut_as_written():
    """floor(107 / 10) windows, the last 7 tokens dropped, 9 predictions in each."""
    terms = [-TABLE[IDS[t - 1]].log_softmax(0)[IDS[t]].item() for t in range(100) if t % 10]
    assert len(terms) == 90
    wanted = math.exp(sum(terms) / 90)
    assert perplexity(bigram, IDS, 10) == pytest.approx(wanted, rel=1e-6)
    assert perplexity(bigram, IDS[:100].view(10, 10), 10) == pytest.approx(wanted, rel=1e-6)
    assert perplexity(bigram, Windows(ids=IDS[:100].view(10, 10)), 10, batch=3) == pytest.approx(wanted, rel=1e-6)


def test_each_window_has_its_own_mean():
    found = losses(bigram, IDS[:100].view(10, 10), batch=4)
    for ids, value in zip(IDS[:100].view(10, 10), found, strict=True):
        assert value.item() == pytest.approx(functional.cross_entropy(TABLE[ids[:-1]], ids[1:]).item(), rel=1e-6)


def test_a_large_vocabulary_is_taken_in_pieces(monkeypatch):
    whole = losses(bigram, IDS[:100].view(10, 10))
    # The room exports the function of the same name.
    monkeypatch.setattr(sys.modules["tenfold.language.perplexity"], "CHUNK", 1)
    assert torch.equal(losses(bigram, IDS[:100].view(10, 10)), whole)


def test_logits_in_half_precision_are_scored_in_single():
    half = losses(lambda ids: TABLE[ids].bfloat16(), IDS[:100].view(10, 10))
    assert half.dtype == torch.float32
    rounded = losses(lambda ids: TABLE[ids].bfloat16().float(), IDS[:100].view(10, 10))
    assert torch.equal(half, rounded)


def test_padding_neither_is_predicted_nor_predicts():
    ids, lengths = IDS[:60].view(3, 20).clone(), torch.tensor([20, 11, 2])
    real = torch.arange(20) >= (20 - lengths)[:, None]
    found = losses(bigram, Windows(ids=ids, real=real))
    for row, length, value in zip(ids, lengths, found, strict=True):
        alone = losses(bigram, row[None, 20 - length :])
        assert value.item() == pytest.approx(alone.item(), rel=1e-6)
    with pytest.raises(InputError, match="no two real tokens"):
        losses(bigram, Windows(ids=ids, real=torch.arange(20).expand(3, -1) == 19))


def test_padding_that_is_not_attended_to_changes_nothing(llama):
    """With rotary positions only distances matter, so that a window on the right is the window alone."""
    ids, real = IDS[:60].view(3, 20).clone(), torch.arange(20).expand(3, -1) >= 8
    seen = losses(llama, Windows(ids=ids, real=real))
    unseen = losses(llama, Windows(ids=ids, real=real, attend=real))
    assert torch.allclose(unseen, losses(llama, ids[:, 8:]), atol=1e-5)
    assert not torch.allclose(seen, unseen, atol=1e-4)
    assert bool(losses(llama, Windows(ids=ids, attend=torch.zeros_like(real))).isfinite().all())


def test_marks_are_never_added_to_scores():
    eager = tiny(VOCABULARY, 32, 48, 1, 2, 32)
    eager.set_attn_implementation("eager")
    ids = IDS[:20].view(1, 20)
    assert losses(eager, ids).item() == pytest.approx(losses(tiny(VOCABULARY, 32, 48, 1, 2, 32), ids).item(), rel=1e-5)
    with pytest.raises(InputError, match="sdpa, not eager"):
        losses(eager, Windows(ids=ids, attend=torch.arange(20)[None] > 3))


def test_a_network_is_in_evaluation_only_meanwhile():
    class Probe(torch.nn.Module):
        def forward(self, ids):
            self.seen = self.training
            return uniform(ids)

    probe = Probe().train()
    assert perplexity(probe, IDS, 10) == pytest.approx(VOCABULARY, rel=1e-6)
    assert (probe.seen, probe.training) == (False, True)


def test_an_untrained_llama_is_near_chance(llama):
    assert perplexity(llama, IDS, 32) == pytest.approx(VOCABULARY, rel=0.1)


def test_bits_per_byte_of_uniform_logits():
    """log2 V bits for each token after the first of its text; B bytes of UTF-8."""
    texts = ["the cat and the dog, Σ", "the dog 12"] * 3
    tokenizer = train_tokenizer(texts, 270)
    tokens = len(pack(texts, tokenizer)) - len(texts)
    size = 3 * (len("the cat and the dog, Σ".encode()) + len(b"the dog 12"))
    found = bits_per_byte(lambda ids: torch.zeros(*ids.shape, 270), tokenizer, texts, 5)
    assert found == pytest.approx(math.log2(270) * tokens / size, rel=1e-6)


@pytest.mark.parametrize(
    ("ids", "window", "message"),
    [
        (IDS, 108, "107 tokens do not fill a window of 108"),
        (IDS, 0, "do not fill"),
        (IDS, 33, "at most the model's 32"),
        (IDS, 1, "at least 2"),
        (IDS[:20].view(2, 10), 9, "no windows of 9"),
        (torch.zeros(2, 10, 32), 10, "token ids"),
    ],
)
def test_what_cannot_be_scored(llama, ids, window, message):
    with pytest.raises(InputError, match=message):
        perplexity(llama, ids, window)
