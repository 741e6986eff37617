"""Examples of calibration-data: what windows look like, which documents are long enough, and a text of one's own."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from tenfold.errors import InputError
from tenfold.papers.calibration_data import examples, explore
from tenfold.papers.calibration_data.windows import drawn, read

from .calibration_data_town import bench, studied
from .drawing import check, words

pytestmark = [pytest.mark.usefixtures("look"), pytest.mark.xdist_group("calibration-data")]


@pytest.fixture(scope="module")
def shown():
    return examples.Examples.of(studied())


@pytest.fixture(scope="module")
def play():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore.Bench, "of", lambda *_: bench())
        return explore.Playground(studied())


def test_every_format_has_a_window_that_is_one_of_a_run(shown):
    table = shown.formats(0)
    assert len(table) == 6 and table.format.is_unique and (table.tokens == studied().p.length).all()
    for row, cell in zip(table.itertuples(), shown.shown.values(), strict=True):
        found = drawn(cell, 0, bench().tokenizer, bench().settings)
        texts = [
            bench().tokenizer.decode(ids if real is None else ids[real], skip_special_tokens=True)
            for ids, real in zip(found.ids, [None] * len(found) if found.real is None else found.real, strict=True)
        ]
        assert row.text in texts and row.padding == pytest.approx(found.pad_share)
        kinds = np.array(row.kinds)
        assert len(kinds) == row.tokens and (kinds == 1).sum() == row.beginnings
    shares = dict(zip(table.format, table.padding, strict=True))
    assert [name for name, share in shares.items() if share > 0] == [name for name in shares if "question" in name]
    reasoned = table[table.format.str.contains("thought")].text
    assert (len(reasoned) == 1 and "So the" in reasoned.iloc[0]) or "answer" in reasoned.iloc[0]


def test_strips_show_every_token_of_every_window(shown):
    table = shown.formats(0)
    figure = examples.figure(table)
    (axes,) = check(figure, 1)
    strips = [np.asarray(image.get_array()).ravel() for image in axes.images]
    strips = strips or [row for mesh in axes.collections for row in np.asarray(mesh.get_array())]
    for kinds in table.kinds:
        assert any(np.array_equal(strip, kinds) for strip in strips)
    told = words(figure)
    for row in table.itertuples():
        assert row.format in told and " ".join(row.text.split())[:20] in told


def test_texts_that_look_like_formulas_are_drawn_as_they_are():
    text = r"costs $3 and \frac{ a_1 $ <b> & 50 %"
    row = {"format": "x", "tokens": 4, "padding": 0.0, "beginnings": 1, "kinds": [1, 2, 2, 2], "text": text}
    assert text in words(check(examples.figure(pd.DataFrame([row])), 1)[0].get_figure())


def test_lengths_are_those_of_training_documents(shown):
    table = shown.lengths()
    assert list(table.source.unique()) == ["prose", "code"], "running text"
    for name, rows in table.groupby("source"):
        texts = [document.text for document in read(name, bench().settings).train[: examples.DOCUMENTS]]
        assert rows.tokens.tolist() == [len(bench().tokenizer(text)["input_ids"]) for text in texts]


def test_curves_tell_which_documents_are_long_enough():
    table = pd.DataFrame({"source": "prose", "tokens": [10, 100, 1000, 10_000]})
    (axes,) = check(examples.eligible(table, 128), 1)
    shares = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines if len(line.get_xdata()) > 2]
    lengths = [np.asarray(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(shares) == 2
    for documents, n in zip(*(shares[0], lengths[0]), strict=True):
        assert documents == np.mean(table.tokens > n)
    at = np.abs(lengths[1] - 128).argmin()
    assert shares[1][at] == pytest.approx(11_000 / 11_110)
    assert any(np.allclose(line.get_xdata(), 128) for line in axes.lines), "the window of the run"


def test_the_text_given_prunes_another_model_than_the_mixture(play):
    masks, table = play.compare(explore.TEXT)
    assert len(masks) == 14 and ((masks.jaccard > masks.expected) & (masks.jaccard < 1)).all()
    assert list(table.test) == ["prose", "code", "arithmetic"]
    dense = studied().table.query("method == 'dense' and outliers == 0").set_index("test").loss
    assert table.dense.tolist() == pytest.approx(dense[table.test].tolist(), abs=1e-5)
    cell = studied().plan.cell("wanda", studied().plan.mix)
    assert table.mixture.tolist() == pytest.approx([row["loss"] for row in bench().row(cell)], abs=1e-5)
    assert not np.allclose(table["your text"], table.mixture)


def test_a_text_of_one_word_is_enough_and_none_is_not(play):
    masks, table = play.compare("salt")
    assert len(masks) == 14 and np.isfinite(table.select_dtypes("number")).all(axis=None)
    with pytest.raises(InputError, match="word"):
        play.compare(" \n ")


def test_overlap_and_losses_are_drawn_for_every_map_and_test(play):
    masks, table = play.compare(explore.TEXT)
    figure = explore.picture(masks, table)
    axes = check(figure, 2)
    grid = masks.pivot(index="linear", columns="block", values="jaccard")
    image = np.asarray(axes[0].images[0].get_array())
    names = [tick.get_text() for tick in axes[0].get_yticklabels()]
    assert np.allclose(image, grid.loc[names])
    bars = [patch.get_width() for patch in axes[1].patches]
    wanted = [*(table.mixture - table.dense), *(table["your text"] - table.dense)]
    assert np.allclose(sorted(bars), sorted(wanted))


def test_a_headless_run_shows_one_text_and_a_reader_gets_a_box(play, monkeypatch, capsys):
    monkeypatch.setattr(explore, "Playground", lambda _: play)
    assert explore.widget(studied(), live=False) is None
    assert "your text" in capsys.readouterr().out and not plt.get_fignums()
    made = []
    monkeypatch.setattr("IPython.display.display", lambda *items, **_: made.extend(items))
    explore.widget(studied(), live=True)
    box, button, _ = next(item for item in made if hasattr(item, "children")).children
    assert box.value == explore.TEXT and button.description


def test_the_mixture_is_left_alone_by_what_is_tried(play):
    before = [value.clone() for value in play.usual.state_dict().values()]
    play.compare("salt and gulls")
    assert all(torch.equal(a, b) for a, b in zip(before, play.usual.state_dict().values(), strict=True))
