"""Greedy and beam decoding against all transcripts there are; the attention decoder's beam against all of its own."""

import itertools
import math

import pytest
import torch

from tenfold.errors import InputError
from tenfold.speech import attention_beam, collapse, ctc_beam, ctc_greedy, decode
from tenfold.speech.decoder import TransformerDecoder, framed


def posteriors(frames, units, seed=0):
    return torch.randn(frames, units, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [([1, 1, 0, 1, 2, 2], [1, 1, 2]), ([0, 0], []), ([], []), ([3, 0, 3], [3, 3]), ([3, 3, 3], [3])],
)
def test_repeats_go_first_then_blanks(path, expected):
    assert collapse(path) == expected


def test_greedy_follows_the_best_path_within_the_length():
    table = torch.full((2, 4, 3), -9.0)
    for row, path in enumerate(([1, 1, 0, 2], [2, 0, 2, 1])):
        table[row, range(4), path] = 0.0
    assert ctc_greedy(table) == [[1, 2], [2, 2, 1]]
    assert ctc_greedy(table, torch.tensor([3, 1])) == [[1], [2]]
    assert decode(table, torch.tensor([3, 1])) == [[1], [2]]


def all_transcripts(table):
    """Return ln p of every transcript, by the sum over all paths."""
    found = {}
    for path in itertools.product(range(table.shape[1]), repeat=len(table)):
        score = sum(table[t, a].item() for t, a in enumerate(path))
        found.setdefault(tuple(collapse(path)), []).append(score)
    return {text: torch.tensor(scores, dtype=torch.float64).logsumexp(0).item() for text, scores in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_is_exact(seed):
    table = posteriors(5, 3, seed)
    expected = sorted(all_transcripts(table).items(), key=lambda item: -item[1])
    found = ctc_beam(table, beam=1000)
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_the_beam_finds_what_the_best_path_misses():
    """Blank is likeliest in each frame, yet "1" by one frame or the other is likelier than nothing."""
    table = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert ctc_greedy(table[None]) == [[]]
    assert ctc_beam(table)[0][0] == (1,)
    assert math.exp(ctc_beam(table)[0][1]) == pytest.approx(1 - 0.36)
    assert decode(table[None], torch.tensor([2]), beam=4) == [[1]]
    with pytest.raises(InputError, match="a beam of 1 or more"):
        ctc_beam(table, beam=0)


def small_decoder(seed=0):
    torch.manual_seed(seed)
    decoder = TransformerDecoder(4, 8, 2, 16, 2).eval()
    with torch.no_grad():
        decoder.output_layer.weight.mul_(4)
    return decoder, torch.randn(6, 8)


def score_of(decoder, memory, units):
    given, wanted = framed(torch.tensor([units]), torch.tensor([len(units)]), decoder.mark)
    table = decoder(given, memory[None]).log_softmax(-1)[0]
    return sum(table[i, unit].item() for i, unit in enumerate(wanted[0].tolist()))


def test_the_decoders_beam_is_exact_where_it_is_wide():
    decoder, memory = small_decoder()
    texts = [list(t) for n in range(1, 4) for t in itertools.product((1, 2), repeat=n)]
    found = {tuple(units): score for units, score in attention_beam(decoder, memory, 100, longest=3)}
    expected = {tuple(text): score_of(decoder, memory, text) for text in texts}
    assert set(expected) | {()} == set(found)
    assert all(found[text] == pytest.approx(score, abs=1e-4) for text, score in expected.items())


def test_a_longer_search_for_the_best():
    decoder, memory = small_decoder(1)
    wide = attention_beam(decoder, memory, 50, longest=4)
    assert [score for _, score in wide] == sorted((score for _, score in wide), reverse=True)
    assert attention_beam(decoder, memory, 8, longest=4)[0][0] == wide[0][0]
    heard = posteriors(6, 4)
    anew = attention_beam(decoder, memory, 50, longest=4, ctc=heard, weight=1.0)
    exact = dict(ctc_beam(heard, 5000))
    assert len(anew) > 20
    for units, score in anew:
        # Four times the same unit needs seven frames.
        assert score == pytest.approx(exact.get(tuple(units), -math.inf), abs=1e-3)
    with pytest.raises(InputError, match="1 or wider"):
        attention_beam(decoder, memory, 0)


def test_what_a_decoder_is_given_and_is_to_say():
    given, wanted = framed(torch.tensor([[4, 5, 6], [7, 0, 0]]), torch.tensor([3, 1]), mark=9)
    assert given.tolist() == [[9, 4, 5, 6], [9, 7, 9, 9]]
    assert wanted.tolist() == [[4, 5, 6, 9], [7, 9, -1, -1]]


def test_the_decoder_does_not_look_ahead():
    decoder, memory = small_decoder()
    units = torch.tensor([[3, 1, 2, 1]])
    changed = units.clone()
    changed[0, 3] = 2
    before, after = decoder(units, memory[None]), decoder(changed, memory[None])
    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert not torch.allclose(before[:, 3], after[:, 3], atol=1e-3)
