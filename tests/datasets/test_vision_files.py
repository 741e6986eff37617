"""Readers of image files, each on small files made by hand: idx, npz, the sprite, folders of pictures."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tenfold.datasets import folders
from tenfold.datasets.mnist import IDX, read_digits, read_fashion, read_mnist
from tenfold.datasets.vision import images
from tenfold.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def official(tmp_path):
    """A folder with the four files of MNIST, half of them packed: 12 rows to train, 8 to test."""
    for name, array in zip(IDX, (GREY[:12], LABELS[:12], GREY[12:], LABELS[12:]), strict=True):
        if "train" in name:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array), mtime=0))
        else:
            (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def test_mnist_from_idx_and_from_npz_are_the_same(official):
    path = official / "mine.npz"
    np.savez(path, x_train=GREY[:12], y_train=LABELS[:12], x_test=GREY[12:], y_test=LABELS[12:])
    for part, other, expected in zip(
        read_mnist(official),
        read_mnist(path),
        (GREY[:12, None], LABELS[:12], GREY[12:, None], LABELS[12:]),
        strict=True,
    ):
        assert np.array_equal(part, expected)
        assert np.array_equal(other, expected)
        assert part.flags.writeable


def test_own_mnist_becomes_a_set_that_is_real(official):
    data = images("mnist", path=official)
    assert data.resolution.kind == "real"
    assert torch.equal(data.train_x[:, 0], torch.from_numpy(GREY[:12]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(GREY)[:-1], "no idx file of bytes"),
        (idx(GREY).replace(b"\0\0\x08", b"\0\0\x0d", 1), "no idx file of bytes"),
        (b"\0\0", "cannot be read"),
        (idx(GREY[:3]), "do not go together"),
        (None, "holds no t10k-images-idx3-ubyte"),
    ],
    ids=["truncated", "floats", "empty", "too few", "missing"],
)
def test_damaged_idx_is_refused(official, content, words):
    path = official / IDX[2]
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_mnist(official)


def test_npz_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=GREY.astype(float), y_train=LABELS, x_test=GREY, y_test=LABELS)
    with pytest.raises(InputError, match="x_train holds float64 values, not uint8"):
        read_mnist(path)
    np.savez(path, x=np.array([{"a": 1}], dtype=object), y=LABELS)
    with pytest.raises(InputError, match="cannot be read"):
        read_fashion(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match="cannot be read"):
        read_mnist(path)


def test_sprite_and_npz_of_fashion_are_the_same(tmp_path):
    x = RNG.integers(0, 256, (900, 28, 28), dtype=np.uint8)
    sheet = np.zeros((840, 840), dtype=np.uint8)
    for number, tile in enumerate(x):
        row, column = divmod(number, 30)
        sheet[28 * row : 28 * row + 28, 28 * column : 28 * column + 28] = tile
    Image.fromarray(sheet).convert("RGBA").save(tmp_path / "sprite.png")
    np.savez(tmp_path / "own.npz", x=x, y=np.repeat(np.arange(10, dtype=np.uint8), 90))
    parts = read_fashion(tmp_path / "sprite.png")
    for part, other in zip(parts, read_fashion(tmp_path / "own.npz"), strict=True):
        assert np.array_equal(part, other)
    assert [len(part) for part in parts] == [630, 630, 270, 270]
    assert np.bincount(parts[3]).tolist() == [27] * 10
    assert np.array_equal(np.unique(np.concatenate([parts[0], parts[2]])[:, 0], axis=0), np.unique(x, axis=0))


def test_sprite_of_another_size_is_refused(tmp_path):
    Image.new("L", (840, 28)).save(tmp_path / "sprite.png")
    with pytest.raises(InputError, match="is 840 x 28 pixels"):
        read_fashion(tmp_path / "sprite.png")


PACKED = [
    gzip.compress(text, mtime=0) for text in (b"1,2,3\n", b"a,b\n")
]  # no time in it: names of tests must not change


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08damaged", *PACKED])
def test_damaged_digits_are_refused(tmp_path, content):
    (tmp_path / "digits.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"digits\.csv\.gz"):
        read_digits(tmp_path / "digits.csv.gz")


# ---- pictures in folders

TINT = {"n02": (200, 10, 10), "n01": (10, 200, 10), "n03": (10, 10, 200)}


def picture(colour, size=(64, 64), kind="JPEG"):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def tiny_files():
    content = {"wnids.txt": b"n02\nn01\nn03\n", "words.txt": b"n01\tfrog, toad\nn02\tcar\nn99\tnobody\n"}
    rows = []
    for identity, colour in TINT.items():
        for number in range(4):
            content[f"train/{identity}/images/{identity}_{number}.JPEG"] = picture(colour)
        content[f"train/{identity}/{identity}_boxes.txt"] = b"boxes\n"
        content[f"val/images/val_{identity}.JPEG"] = picture(colour)
        rows.append(f"val_{identity}.JPEG\t{identity}\t0\t0\t9\t9")
    content["val/val_annotations.txt"] = "\n".join(rows).encode()
    return content | {"test/images/test_0.JPEG": picture((0, 0, 0))}


def lay(folder, content):
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def check_tints(x, y, order=("n01", "n02", "n03")):
    expected = torch.tensor([TINT[order[label]] for label in y])
    assert (x.float().mean((2, 3)) - expected).abs().max() < 3  # JPEG


def test_tiny_imagenet_from_folder_and_zip(tmp_path, bare, monkeypatch):
    monkeypatch.setattr(folders, "PORTION", 5)
    folder = lay(tmp_path / "tiny", tiny_files())
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
        for name, data in tiny_files().items():
            archive.writestr(f"tiny-imagenet-200/{name}", data)
    for path in (folder, tmp_path / "tiny.zip"):
        data = images("tinyimagenet", path=path)
        assert (data.train_x.shape, data.test_x.shape) == ((12, 3, 64, 64), (3, 3, 64, 64))
        assert data.class_names == ("frog", "car", "n03")
        assert torch.bincount(data.train_y).tolist() == [4, 4, 4]
        check_tints(data.train_x, data.train_y)
        check_tints(data.test_x, data.test_y)


def test_a_subset_of_pictures_is_drawn_before_they_are_opened(tmp_path, bare):
    content = tiny_files()
    full = images("tinyimagenet", path=lay(tmp_path / "whole", content))
    part = images("tinyimagenet", subset=(6, None), size=16, path=tmp_path / "whole", seed=3)
    assert part.train_x.shape == (6, 3, 16, 16)
    assert torch.bincount(part.train_y).tolist() == [2, 2, 2]
    assert torch.equal(part.test_x, full.shrunk(16).test_x)
    other = {name: b"damaged" if name.endswith("_3.JPEG") else data for name, data in content.items()}
    broken, opened = lay(tmp_path / "broken", other), []
    for seed in range(20):
        try:
            images("tinyimagenet", subset=(3, None), path=broken, seed=seed)
            opened.append(seed)
        except InputError as error:
            assert "is no image that can be read" in str(error)
    assert 0 < len(opened) < 20


def test_decoded_pictures_are_kept_until_a_file_changes(tmp_path, bare, monkeypatch):
    folder = lay(tmp_path / "tiny", tiny_files())
    first = images("tinyimagenet", path=folder).train_x.clone()
    opened = []
    decoder = folders._decoder
    monkeypatch.setattr(folders, "_decoder", lambda *inner: opened.append(inner) or decoder(*inner))
    again = images("tinyimagenet", path=folder)
    assert torch.equal(first, again.train_x)
    assert opened == []
    again.train_x[0] = 0  # a copy in memory: what is kept stays
    assert torch.equal(first, images("tinyimagenet", path=folder).train_x)
    (folder / "val/images/val_n01.JPEG").write_bytes(picture((9, 9, 9), (32, 32)))
    assert images("tinyimagenet", path=folder).test_x.float().mean((1, 2, 3)).min() < 12
    assert len(opened) == 1


def test_imagenet_takes_the_square_in_the_middle(tmp_path, bare):
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 240
    stream = io.BytesIO()
    Image.fromarray(wide).save(stream, "PNG")
    content = {
        f"train/{identity}/{number}.png": picture(TINT[identity], (30, 90), "PNG")
        for identity in TINT
        for number in "ab"
    }
    content |= {"val/n02/x.png": stream.getvalue(), "val/n01/y.png": picture(TINT["n01"], (8, 8), "PNG")}
    data = images("imagenet", size=10, path=lay(tmp_path / "net", content))
    assert (data.train_x.shape, data.classes) == ((6, 3, 10, 10), 3)
    assert (data.test_x[data.test_y == 1] == 240).all()
    check_tints(data.train_x, data.train_y)
    with pytest.raises(InputError, match="imagenet needs a size"):
        images("imagenet", path=tmp_path / "net")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wnids.txt": None}, r"wnids\.txt cannot be read"),
        ({"val/val_annotations.txt": b"val_n01.JPEG\tn77\t0\n"}, "belongs to n77, which is no class"),
        ({"val/val_annotations.txt": b""}, "holds no images below val/"),
        ({"val/val_annotations.txt": b"none.JPEG\tn01\t0\n"}, r"none\.JPEG"),
        ({"train/n01/images/n01_0.JPEG": b"no picture"}, r"n01_0\.JPEG is no image"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(tmp_path, bare, change, words):
    content = {name: data for name, data in (tiny_files() | change).items() if data is not None}
    with pytest.raises(InputError, match=words):
        images("tinyimagenet", path=lay(tmp_path / "tiny", content))


def test_a_file_that_is_no_zip_is_refused(tmp_path, bare):
    (tmp_path / "tiny.zip").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"tiny\.zip cannot be read"):
        images("tinyimagenet", path=tmp_path / "tiny.zip")
