"""Pre-training: what it learns from a known truth, its bits, its limits, the plain loop it must equal."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from tenfold.errors import InputError
from tenfold.runner.codec import read_value, write_value
from tenfold.urban import Pretrained, Pretraining, clip_loss, information_floor, location_encoder, pretrain, untrained
from tenfold.urban.heads import TextHead
from tenfold.urban.pretraining import _Training, parameter_groups

ENCODER = {"frequencies": 6, "lambda_min": 1000.0, "lambda_max": 8000.0, "width": 32, "blocks": 1, "out": 16}
SETTINGS = Pretraining(batch=128, epochs=6, lr=3e-3)
CORNER = np.array([530_000.0, 180_000.0])
TRUTH = np.array([[0.85, 0.05, 0.05, 0.05], [0.1, 0.7, 0.1, 0.1], [0.05, 0.05, 0.8, 0.1], [0.0, 0.1, 0.1, 0.8]])


def quadrants(n=1200, seed=0):
    """Points of a square of 8 km; P(text | quarter of the square) is a row of TRUTH."""
    rng = np.random.default_rng(seed)
    xy = CORNER + rng.uniform(-4000, 4000, (n, 2))
    quarter = (xy[:, 0] > CORNER[0]) * 2 + (xy[:, 1] > CORNER[1])
    index = (rng.random((n, 1)) > TRUTH[quarter].cumsum(axis=1)).sum(axis=1).clip(max=3)
    features = np.random.default_rng(9).standard_normal((4, 12)).astype(np.float32)
    return xy, index, features / np.linalg.norm(features, axis=1, keepdims=True), quarter


XY, INDEX, FEATURES, QUARTER = quadrants()


@pytest.fixture(scope="module")
def trained():
    return pretrain(XY, INDEX, FEATURES, ENCODER, SETTINGS)


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.encoder.parameters(), other.encoder.parameters(), strict=True))


def test_it_learns_where_texts_are(trained):
    history = trained.history
    assert list(history) == ["epoch", "train_loss", "validation_loss", "bound", "floor"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    best = history["validation_loss"].min()
    assert (history["floor"] < best).all() and best < history["bound"][0] - 0.3
    np.testing.assert_allclose(history["bound"], np.log(120))
    # 120 validation rows in one batch: its floor is ln B less the entropy of the texts.
    share = np.bincount(INDEX) / len(INDEX)
    assert history["floor"][0] == pytest.approx(np.log(120) + share @ np.log(share), abs=0.05)


def test_logits_are_calibrated_and_similarity_points_to_the_text(trained):
    test, index, _, quarter = quadrants(2000, seed=1)
    probability = trained.class_probability(test, FEATURES, np.bincount(INDEX))
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    # Waves of 1 km cannot jump where the quarters meet.
    inside = np.abs(test - CORNER).min(axis=1) > 500
    by_quarter = np.stack([probability[inside & (quarter == q)].mean(axis=0) for q in range(4)])
    assert np.abs(by_quarter - TRUTH).max() < 0.12
    # The shares of the texts everywhere, which say nothing of the place, are far from it.
    assert np.abs(np.bincount(INDEX) / len(INDEX) - TRUTH).max() > 0.5
    similarity = trained.similarity(test, FEATURES)
    assert similarity.shape == (2000, 4) and np.abs(similarity).max() <= 1 + 1e-6
    # Each text is most similar to its own quarter, and its similarity ranks places as its true probability does.
    by_quarter = np.stack([similarity[inside & (quarter == q)].mean(axis=0) for q in range(4)])
    assert (by_quarter.argmax(axis=0) == np.arange(4)).all()
    assert min(spearmanr(similarity[inside, q], TRUTH[quarter[inside], q])[0] for q in range(4)) > 0.5
    # Chance is the share of the most frequent text.
    assert (probability.argmax(axis=1) == index)[inside].mean() > 0.7 > 0.4 > np.bincount(index).max() / 2000


def test_similarity_is_a_cosine_of_projection_and_embedding(trained):
    z = torch.from_numpy(trained.embed(XY[:50]))
    u = trained.projection(torch.from_numpy(FEATURES))
    expected = torch.nn.functional.cosine_similarity(z[:, None], u[None], dim=2)
    np.testing.assert_allclose(trained.similarity(XY[:50], FEATURES), expected, atol=1e-6)
    np.testing.assert_allclose(trained.similarity(XY[:50], 3 * FEATURES[:0]), np.empty((50, 0)))


def test_same_seed_same_bits_and_no_global_generator(trained):
    before, state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = pretrain(XY, INDEX, FEATURES, ENCODER, SETTINGS)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert same_weights(trained, again)
    assert again.history.equals(trained.history)
    np.testing.assert_array_equal(again.embed(XY), trained.embed(XY))
    other = pretrain(XY, INDEX, FEATURES, ENCODER, SETTINGS, seed=1)
    assert not same_weights(trained, other)


def test_untrained_twin_is_where_training_starts():
    still = pretrain(XY, INDEX, FEATURES, ENCODER, Pretraining(batch=128, epochs=1, lr=1e-30), seed=5)
    twin = untrained(ENCODER, seed=5)
    assert same_weights(still, twin)
    np.testing.assert_array_equal(still.embed(XY), twin.embed(XY))
    assert twin.best_epoch == 0 and twin.history.empty
    with pytest.raises(InputError, match="not trained on texts"):
        twin.similarity(XY, FEATURES)


def test_embedding_is_the_raw_output_without_dropout(trained):
    embedding = trained.embed(XY)
    assert embedding.shape == (1200, 16) and embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, trained.encoder(XY), atol=1e-5)
    assert np.ptp(np.linalg.norm(embedding, axis=1)) > 0.1
    assert trained.embed(np.empty((0, 2))).shape == (0, 16)
    # More rows than one block.
    np.testing.assert_allclose(trained.embed(np.tile(XY, (4, 1)))[3600:], embedding, atol=1e-5)


def test_first_epoch_equals_a_plain_loop():
    """Dense loss, torch's own AdamW without fusion, dropout 0, weights from a second copy."""
    options = ENCODER | {"dropout": 0.0}
    settings = Pretraining(batch=300, epochs=1, lr=1e-3, weight_decay=0.1)

    def modules():
        generator = torch.Generator().manual_seed(3)
        encoder = location_encoder(**options, generator=generator)
        return encoder, TextHead(torch.from_numpy(FEATURES), encoder.out, generator=generator)

    encoder, head = modules()
    training = _Training(encoder, head, encoder.encode(XY), INDEX, settings, 3)
    batches = training._batches(np.random.default_rng([0]).permutation(training.training))
    training._batches = lambda rows: batches
    loss = training.epoch()
    plain, other = modules()
    decay, none = [], [other.log_scale]
    for parameter in (*plain.parameters(), *other.projection.parameters()):
        (decay if parameter.ndim == 2 else none).append(parameter)
    optimizer = torch.optim.AdamW(decay, lr=1e-3, weight_decay=0.1, fused=False, foreach=False)
    optimizer.add_param_group({"params": none, "weight_decay": 0.0})
    losses = []
    for rows in batches:
        text = other.projection(torch.from_numpy(FEATURES[INDEX[rows]]))
        losses.append(clip_loss(text, plain(XY[rows]), other.log_scale))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert loss == pytest.approx(np.mean([value.item() for value in losses]), rel=1e-5)
    for ours, theirs in zip(
        (*encoder.parameters(), *head.parameters()), (*plain.parameters(), *other.parameters()), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_decay_on_matrices_only():
    head = TextHead(torch.zeros(3, 12), 16)
    encoder = location_encoder(**ENCODER)
    decayed, free = parameter_groups((encoder, head), 0.01)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert any(p is head.log_scale for p in free["params"])
    assert {p.ndim for p in free["params"]} == {0, 1}
    total = sum(p.numel() for module in (encoder, head) for p in module.parameters())
    assert sum(p.numel() for group in (decayed, free) for p in group["params"]) == total


def test_batches_are_equal_and_every_row_is_seen_once():
    training = _Training(*stub(), np.zeros(1200, int), Pretraining(batch=250), 0)
    batches = training._batches(training.training)
    assert [len(batch) for batch in batches] == [216] * 5
    held = np.concatenate(training.validation)
    assert len(held) == 120
    np.testing.assert_array_equal(np.sort(np.concatenate([held, *batches])), np.arange(1200))


def stub():
    encoder = location_encoder(**ENCODER)
    return encoder, TextHead(torch.from_numpy(FEATURES), encoder.out), torch.zeros(1200, 24)


def test_weights_of_the_best_epoch_are_kept_and_patience_ends():
    """Labels without any pattern: the validation loss soon rises."""
    index = np.random.default_rng(2).integers(0, 4, len(XY))
    settings = {"batch": 128, "lr": 1e-2}
    seen = []
    patient = pretrain(XY, index, FEATURES, ENCODER, Pretraining(**settings, epochs=30, patience=3), 0, seen.append)
    best = patient.best_epoch
    assert len(patient.history) == best + 3 < 30
    assert [row["epoch"] for row in seen] == list(range(1, best + 4))
    assert seen[-1] == patient.history.iloc[-1].to_dict()
    stopped = pretrain(XY, index, FEATURES, ENCODER, Pretraining(**settings, epochs=best))
    assert same_weights(patient, stopped)
    assert stopped.history.equals(patient.history[:best])


@pytest.mark.parametrize("objective", ["multipositive", "space2vec"])
def test_other_objectives_learn_too(objective):
    model = pretrain(XY, INDEX, FEATURES, ENCODER, Pretraining(batch=128, epochs=8, lr=5e-3, objective=objective))
    bound = model.history["bound"][0]
    assert model.history["validation_loss"].min() < bound - 0.1
    # Nearest neighbours in the embedding lie in the same quarter, more often than chance says.
    z = model.embed(XY)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    cosines = z @ z.T
    np.fill_diagonal(cosines, -1)
    assert (QUARTER[cosines.argsort(axis=1)[:, -20:]] == QUARTER[:, None]).mean() > 0.5
    if objective == "space2vec":
        assert bound == pytest.approx(2 * np.log(2))
        with pytest.raises(InputError, match="not trained on texts"):
            model.similarity(XY, FEATURES)
    else:
        assert model.history["floor"][0] == 0


def test_normalised_text_is_learnt_with_its_own_probability():
    settings = Pretraining(batch=128, epochs=6, lr=3e-3, normalize_text=True)
    model = pretrain(XY, INDEX, FEATURES, ENCODER, settings)
    probability = model.class_probability(XY, FEATURES, np.bincount(INDEX))
    logits = np.exp(model.log_scale) * model.similarity(XY, FEATURES) + np.log(np.bincount(INDEX))
    np.testing.assert_allclose(probability, torch.from_numpy(logits).softmax(dim=1), atol=1e-6)
    assert (probability.argmax(axis=1) == INDEX).mean() > 0.65


def test_texts_beyond_the_batch_change_nothing():
    """More texts than rows in a batch: only those present are projected, with the same loss."""
    head = TextHead(torch.randn(50, 12, generator=torch.Generator().manual_seed(0)), 16)
    location = torch.randn(20, 16, generator=torch.Generator().manual_seed(1))
    index = torch.from_numpy(np.random.default_rng(0).integers(0, 50, 20))
    expected = clip_loss(head.projection(head.features[index]), location, head.log_scale)
    assert head(location, index, torch.Generator()).item() == pytest.approx(expected.item(), rel=1e-6)
    assert expected.item() > information_floor(index)


def test_state_goes_through_storage(trained, tmp_path):
    write_value(tmp_path, trained.state())
    back = Pretrained.from_state(read_value(tmp_path))
    np.testing.assert_array_equal(back.embed(XY), trained.embed(XY))
    np.testing.assert_array_equal(back.similarity(XY, FEATURES), trained.similarity(XY, FEATURES))
    assert back.history.equals(trained.history) and back.best_epoch == trained.best_epoch
    assert back.log_scale == trained.log_scale
    twin = untrained(ENCODER, 3)
    np.testing.assert_array_equal(Pretrained.from_state(twin.state()).embed(XY), twin.embed(XY))
    broken = trained.state() | {"options": ENCODER | {"width": 16}}
    with pytest.raises(InputError, match="do not fit"):
        Pretrained.from_state(broken)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"xy": XY[:5]}, "one text each"),
        ({"xy": XY[:3], "text_index": INDEX[:3]}, "at least four"),
        ({"text_index": INDEX + 1}, "from 1 to 4"),
        ({"text_index": INDEX.astype(float)}, "must be integers"),
        ({"features": FEATURES[0]}, "finite array"),
        ({"features": FEATURES * np.nan}, "finite array"),
        ({"xy": XY * np.nan}, "not finite"),
        ({"settings": Pretraining(epochs=3, lr=1e30)}, "no longer finite"),
        ({"encoder_options": {"depth": 3}}, "depth"),
    ],
)
def test_impossible_input_is_refused(change, words):
    given = {"xy": XY, "text_index": INDEX, "features": FEATURES, "encoder_options": ENCODER, "settings": SETTINGS}
    with pytest.raises(InputError, match=words):
        pretrain(**given | change)


def test_wrong_features_and_counts_are_refused(trained):
    with pytest.raises(InputError, match=r"must be \(Q, 12\), not \(4, 7\)"):
        trained.similarity(XY, FEATURES[:, :7])
    with pytest.raises(InputError, match="as many counts"):
        trained.class_probability(XY, FEATURES, [1, 2, 3])


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 1},
        {"epochs": 0},
        {"patience": 0},
        {"lr": 0.0},
        {"lr": np.nan},
        {"weight_decay": -1},
        {"validation": 1.0},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InputError, match="pre-training needs"):
        Pretraining(**settings)


def test_unknown_names_are_refused():
    for device in ("cuda:77", "gpu"):
        with pytest.raises(InputError, match=f"no device '{device}'"):
            Pretraining(device=device)
    with pytest.raises(InputError, match="did you mean 'space2vec'"):
        Pretraining(objective="space3vec")
