"""Image sets: digits against scikit-learn, splits that stay, draws that keep the classes, sizes, moments."""

import numpy as np
import pytest
import torch

from tenfold.datasets import fingerprint, label, provenance
from tenfold.datasets.images import Images, pooled, stratified
from tenfold.datasets.vision import NAMES, images
from tenfold.errors import InputError


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setattr(provenance, "_used", {})
    return images("digits")


def keys(x):
    """One number per image, to tell images apart."""
    return [image.numpy().tobytes() for image in x]


def tiny(rows=40, size=4, classes=4):
    """A set of our own: every image another one, classes in turn."""
    x = torch.arange(rows * size * size).view(rows, 1, size, size).remainder(256).to(torch.uint8)
    y = torch.arange(rows) % classes
    found = provenance.Resolution("tiny", "synthetic", None, "", "tiny")
    return Images(x, y, x[:4], y[:4], classes, found, "tiny", tuple("abcd")[:classes])


def test_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    bunch = load_digits()
    expected = np.round(bunch.images * 255 / 16).astype(np.uint8)
    ours = sorted(zip(keys(torch.cat([digits.train_x, digits.test_x])), [*digits.train_y, *digits.test_y], strict=True))
    assert ours == sorted(zip([image.tobytes() for image in expected], bunch.target, strict=True))


def test_digits_have_the_shapes_and_types_of_a_set(digits):
    assert (digits.train_x.shape, digits.test_x.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert (digits.train_x.dtype, digits.train_y.dtype) == (torch.uint8, torch.int64)
    assert digits.train_x.max() == 255
    assert digits.classes == len(digits.class_names) == 10
    assert digits.shape == (1, 8, 8)


def test_digits_come_with_the_workbook_and_say_so(digits, bare):
    assert images("digits").resolution.kind == "embedded"
    assert label([digits.resolution.name]) == "Data: digits (embedded)"
    assert fingerprint("digits") == digits.resolution.fingerprint


def test_split_keeps_the_shares_of_the_classes(digits):
    share = torch.bincount(digits.test_y) / (torch.bincount(digits.test_y) + torch.bincount(digits.train_y))
    assert (share - 0.2).abs().max() < 0.006  # half a row of a class


def test_the_seed_moves_the_draw_and_never_the_split(digits):
    drawn = [images("digits", subset=100, seed=seed) for seed in (0, 0, 1)]
    assert all(torch.equal(item.test_x, digits.test_x) for item in drawn)
    assert torch.equal(drawn[0].train_x, drawn[1].train_x)
    assert not torch.equal(drawn[0].train_x, drawn[2].train_x)


def test_subset_draws_from_the_training_rows_with_their_labels(digits):
    drawn = images("digits", subset=(200, 50))
    assert (len(drawn.train_y), len(drawn.test_y)) == (200, 50)
    known = dict(zip(keys(digits.train_x), digits.train_y.tolist(), strict=True))
    assert all(known[key] == y for key, y in zip(keys(drawn.train_x), drawn.train_y.tolist(), strict=True))
    assert set(keys(drawn.test_x)) <= set(keys(digits.test_x))
    assert torch.bincount(drawn.train_y).tolist() == pytest.approx([20] * 10, abs=1)


def test_stratified_draws_quotas_with_the_largest_remainders():
    labels = np.repeat([7, 3, 5], [50, 30, 20])
    rows = stratified(labels, 9, np.random.default_rng(0))
    assert (np.diff(rows) > 0).all()
    # 4.5, 2.7 and 1.8: the two rows that are left go to the classes 5 and 3.
    assert {k: int((labels[rows] == k).sum()) for k in (7, 3, 5)} == {7: 4, 3: 3, 5: 2}
    assert stratified(labels, 100, np.random.default_rng(0)).tolist() == list(range(100))


@pytest.mark.parametrize("count", [0, -1, 101])
def test_stratified_refuses_more_rows_than_there_are(count):
    with pytest.raises(InputError, match=f"{count} rows asked of a set of 100"):
        stratified(np.zeros(100), count, np.random.default_rng(0))


def test_stratified_draws_every_row_alike():
    """Each row of two equal classes stands in half of all draws; 400 draws leave 0.5 +- 0.1 (four deviations)."""
    labels = np.repeat([0, 1], 10)
    generator = np.random.default_rng(1)
    counts = np.bincount(np.concatenate([stratified(labels, 10, generator) for _ in range(400)]), minlength=20)
    assert (np.abs(counts / 400 - 0.5) < 0.1).all()


def test_pooled_pixels_are_rounded_means_of_blocks():
    x = torch.tensor([[0, 4, 255, 255], [2, 1, 255, 255], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.uint8)
    assert pooled(x[None, None], 2)[0, 0].tolist() == [[2, 255], [1, 0]]
    assert torch.equal(pooled(x[None, None], 4)[0, 0], x)


@pytest.mark.parametrize("size", [0, 3, 16])
def test_pooled_refuses_a_size_that_does_not_divide(size):
    with pytest.raises(InputError, match=f"8 x 8 pixels cannot be averaged to {size} x {size}"):
        images("digits", size=size)


def test_size_shrinks_training_and_test_images(digits):
    small = images("digits", size=4)
    assert torch.equal(small.test_x, pooled(digits.test_x, 4))
    assert torch.equal(small.train_x, pooled(digits.train_x, 4))
    assert torch.equal(small.train_y, digits.train_y)


def test_moments_are_mean_and_deviation_of_the_pixels():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (30, 3, 5, 5), generator=generator, dtype=torch.uint8)
    data = Images(
        x, torch.zeros(30, dtype=torch.int64), x[:1], torch.zeros(1, dtype=torch.int64), 1, None, "own", ("a",)
    )
    mean, deviation = data.moments()
    unit = x.double() / 255
    assert mean == pytest.approx(unit.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert deviation == pytest.approx(unit.std((0, 2, 3), correction=0).tolist(), rel=1e-9)


def test_validation_takes_the_last_rows_by_index():
    data = tiny()
    for count, expected in ((None, 4), (15, 15)):
        cut = data.validation(count)
        assert torch.equal(torch.cat([cut.train_x, cut.test_x]), data.train_x)
        assert torch.equal(torch.cat([cut.train_y, cut.test_y]), data.train_y)
        assert len(cut.test_y) == expected
    for count in (0, 40):
        with pytest.raises(InputError, match="both parts must have rows"):
            data.validation(count)


def test_a_set_refuses_what_does_not_go_together():
    data = tiny()
    parts = (data.train_x, data.train_y, data.test_x, data.test_y)
    rest = (data.resolution, "tiny", data.class_names)
    with pytest.raises(InputError, match=r"labels are not all in 0\.\.2"):
        Images(*parts, 3, *rest)
    with pytest.raises(InputError, match="do not go with"):
        Images(data.train_x, data.train_y[1:], *parts[2:], 4, *rest)
    with pytest.raises(InputError, match="do not go with"):
        Images(data.train_x.float(), *parts[1:], 4, *rest)


def test_unknown_name_gives_the_nearest():
    with pytest.raises(InputError, match="unknown image set 'cifar'; did you mean 'cifar1"):
        images("cifar")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist", "a folder with the four idx files"),
        ("fashion900", "fashion-mnist-sprite.png"),
        ("cifar10", "tenfold data fetch cifar10"),
        ("cifar100", "tenfold data fetch cifar100"),
        ("tinyimagenet", "tenfold data fetch tinyimagenet"),
        ("imagenet", "train/<id> and val/<id>"),
    ],
)
def test_what_is_nowhere_is_told_how_to_get(name, words, bare):
    with pytest.raises(InputError) as caught:
        images(name, size=8)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_name_is_registered_as_a_picture_set():
    from tenfold.datasets import datasets

    assert {name for name, data in datasets().items() if data.domain == "vision"} == set(NAMES)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="mnist: no file or folder"):
        images("mnist", path=tmp_path / "none")


@pytest.mark.mirror
def test_mnist_of_the_mirror(mirror):
    data = images("mnist", subset=(1000, None))
    assert (data.train_x.shape, data.test_x.shape) == ((1000, 1, 28, 28), (10000, 1, 28, 28))
    # The official test set begins so; published counts of its classes.
    assert data.test_y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert torch.bincount(data.test_y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.mirror
def test_fashion_of_the_mirror(mirror):
    data = images("fashion900", size=14)
    assert (data.train_x.shape, data.test_x.shape) == ((630, 1, 14, 14), (270, 1, 14, 14))
    assert torch.bincount(data.train_y).tolist() == [63] * 10
    assert len(set(keys(data.train_x)) & set(keys(data.test_x))) == 0


def test_fetch_of_what_has_no_address_says_how_to_get_it(bare):
    from tenfold.datasets.fetch import fetch

    with pytest.raises(
        InputError, match=r"fashion900: no address is known to download it from; give images\(\) as path"
    ):
        fetch("fashion900")
