"""CIFAR on small files made by hand, in every form, and pickles that must not run."""

import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from tenfold.datasets.cifar import LAYOUTS, PIXELS, Reader, read_cifar
from tenfold.datasets.vision import images
from tenfold.errors import InputError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, PIXELS), dtype=np.uint8)


def text(word):
    return b"U" + bytes([len(word)]) + word


def old_names(key, names):
    return b"\x80\x02}" + text(key) + b"](" + b"".join(text(name.encode()) for name in names) + b"es."


def python2(data, labels, key, fortran=False):
    """Return a batch as the publisher's Python 2 pickled it (protocol 2, numpy 1), opcode by opcode."""
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\0K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    )
    shape = b"K" + bytes([len(data)]) + b"M" + struct.pack("<H", PIXELS) + b"\x86"
    raw = data.tobytes("F" if fortran else "C")
    state = (
        b"(K\x01" + shape + dtype + (b"\x88" if fortran else b"\x89") + b"T" + struct.pack("<i", len(raw)) + raw + b"t"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + text(b"b") + b"\x87R" + state + b"b"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key) + numbers + b"u."


def names_of(name):
    return [f"class{number}" for number in range(10 if name == "cifar10" else 100)]


def python_files(name, fortran=False):
    """Files of the Python version with two rows to each batch of CIFAR-10, the last two to test."""
    layout = LAYOUTS[name]
    batches = np.array_split(np.arange(12), len(layout.train) + 1)
    content = {
        file: python2(COLOUR[rows], [int(row) % 10 for row in rows], layout.label_key, fortran)
        for file, rows in zip((*layout.train, layout.test), batches, strict=True)
    }
    return content | {layout.names: old_names(layout.names_key, names_of(name))}


def binary_files(name):
    layout = LAYOUTS[name]
    batches = np.array_split(np.arange(12), len(layout.train) + 1)
    prefix = np.full((12, layout.label_bytes - 1), 77, dtype=np.uint8)  # the coarse label, which nobody asks for
    table = np.column_stack([prefix, np.arange(12, dtype=np.uint8) % 10, COLOUR])
    content = {file: table[rows].tobytes() for file, rows in zip(layout.binary[:-1], batches, strict=True)}
    return content | {layout.names_text: "\n".join(names_of(name)).encode() + b"\n\n"}


def put(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def packed(path, content, top):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            item = tarfile.TarInfo(f"{top}/{name}")
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return path


def check_cifar(name, path):
    (train_x, train_y, test_x, test_y), names = read_cifar(name, path)
    assert np.array_equal(np.concatenate([train_x, test_x]), COLOUR.reshape(12, 3, 32, 32))
    assert np.array_equal(np.concatenate([train_y, test_y]), np.arange(12) % 10)
    assert len(test_y) == 12 // (len(LAYOUTS[name].train) + 1)
    assert list(names) == names_of(name)
    assert test_x.flags.writeable


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("make", [python_files, binary_files], ids=["python", "binary"])
def test_cifar_in_every_form(tmp_path, name, make):
    content = make(name)
    folder = put(tmp_path / "all" / "inner", content)
    check_cifar(name, folder)
    check_cifar(name, folder.parent)
    archive = packed(tmp_path / f"{name.replace('cifar', 'cifar-')}-any.tar.gz", content, "top")
    check_cifar(name, archive)
    check_cifar(name, put(tmp_path / "kept", {archive.name: archive.read_bytes()}))


def test_cifar_pickled_by_columns_and_by_python_3(tmp_path):
    check_cifar("cifar10", put(tmp_path / "columns", python_files("cifar10", fortran=True)))
    layout = LAYOUTS["cifar100"]
    for protocol in (3, 4):
        content = {
            layout.train[0]: {"data": COLOUR[:6], "fine_labels": [0, 1, 2, 3, 4, 5]},
            layout.test: {"data": COLOUR[6:], "fine_labels": [6, 7, 8, 9, 0, 1]},
            layout.names: {"fine_label_names": names_of("cifar100")},
        }
        dumped = {file: pickle.dumps(batch, protocol=protocol) for file, batch in content.items()}
        check_cifar("cifar100", put(tmp_path / str(protocol), dumped))


def test_our_copy_of_the_old_format_is_one_that_python_reads():
    batch = pickle.loads(python2(COLOUR[:2], [3, 4], b"labels"), encoding="bytes")
    assert np.array_equal(batch[b"data"], COLOUR[:2])
    assert batch[b"labels"] == [3, 4]


class Evil:
    """What a pickle that runs a command looks like."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_malicious_pickle_is_refused_and_not_run(tmp_path, protocol):
    mark = tmp_path / "mark"
    evil = pickle.dumps({"data": Evil(os.mkdir, str(mark)), "labels": [1]}, protocol=protocol)
    folder = put(tmp_path / "cifar", python_files("cifar10") | {"data_batch_3": evil})
    with pytest.raises(InputError, match=r"data_batch_3 is refused as a pickle: it asks for posix\.mkdir|nt\.mkdir"):
        read_cifar("cifar10", folder)
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists()  # the same bytes would have done it


@pytest.mark.parametrize("function", [eval, np.load, np.fromfile, getattr])
def test_no_other_name_is_known_not_even_of_numpy(function):
    with pytest.raises(pickle.UnpicklingError, match="which no batch needs"):
        Reader(io.BytesIO(pickle.dumps(Evil(function, "x"), protocol=2))).load()


def test_methods_of_the_names_that_are_known_are_not_known():
    asked = b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93."
    assert pickle.loads(asked) is np.ndarray.tofile
    with pytest.raises(pickle.UnpicklingError, match="which no batch needs"):
        Reader(io.BytesIO(asked)).load()


def test_damaged_pickles_are_refused_in_one_line_wherever_they_break(tmp_path):
    content = python_files("cifar10")
    folder = put(tmp_path, content)
    whole = content["data_batch_2"]
    generator = np.random.default_rng(1)
    head = whole.index(COLOUR[2].tobytes())  # the third row is the first of the second batch
    cuts = [whole[:cut] for cut in range(0, len(whole), len(whole) // 60)]
    flips = []
    for place in generator.integers(0, head, 150):
        bad = bytearray(whole)
        bad[place] ^= int(generator.integers(1, 256))
        flips.append(bytes(bad))
    assert head > 60
    refused = 0
    for bad in cuts + flips:
        (folder / "data_batch_2").write_bytes(bad)
        try:
            read_cifar("cifar10", folder)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > len(cuts)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ([1, 2], "holds a list"),
        ({b"labels": [1]}, "holds no data"),
        ({b"data": COLOUR[:2]}, "holds no data or no labels"),
        ({b"data": COLOUR[:2], b"labels": [1]}, "must hold rows"),
        ({b"data": COLOUR[:2], b"labels": [1, "two"]}, "must hold rows"),
        ({b"data": COLOUR[:2], b"labels": [1, 10**30]}, "must hold rows"),
        ({b"data": COLOUR[:2].astype(np.int16), b"labels": [1, 2]}, "must hold rows"),
        ({b"data": COLOUR[:2].view(np.int8), b"labels": [1, 2]}, "must hold rows"),
        ({b"data": COLOUR[:2, 1:], b"labels": [1, 2]}, "must hold rows"),
        ({b"data": np.array([None, 1], dtype=object), b"labels": [1, 2]}, "must hold rows"),
        ({b"data": b"bytes", b"labels": [1, 2]}, "holds no data"),
    ],
)
def test_a_batch_of_another_kind_is_refused(tmp_path, batch, words):
    folder = put(tmp_path, python_files("cifar10") | {"data_batch_1": pickle.dumps(batch, protocol=4)})
    with pytest.raises(InputError, match=words):
        read_cifar("cifar10", folder)


@pytest.mark.parametrize(
    "greedy",
    [
        b"\x80\x02}r" + struct.pack("<I", 3_000_000) + b".",
        b"\x80\x02}p3000000\n.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 26) + b"few.",
        b"\x80\x02T" + struct.pack("<i", 1 << 26) + b"few.",
    ],
    ids=["memo", "memo in words", "byte array", "string"],
)
def test_a_few_bytes_cannot_ask_for_much_memory(tmp_path, greedy):
    folder = put(tmp_path, python_files("cifar10") | {"data_batch_1": greedy})
    with pytest.raises(
        InputError, match=r"data_batch_1 is refused as a pickle: (it asks for 3000000 places|.*expected)"
    ):
        read_cifar("cifar10", folder)


def test_a_shape_that_its_bytes_do_not_fill_is_refused(tmp_path):
    batch = python2(COLOUR[:2], [1, 2, 3], b"labels").replace(b"K\x02M", b"K\x03M", 1)
    folder = put(tmp_path, python_files("cifar10") | {"data_batch_1": batch})
    with pytest.raises(InputError, match="must hold rows of 3072 bytes"):
        read_cifar("cifar10", folder)


def test_a_folder_without_cifar_says_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"holds neither data_batch_1, .* nor data_batch_1\.bin"):
        read_cifar("cifar10", tmp_path)
    (tmp_path / "cifar.tar.gz").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be read"):
        read_cifar("cifar10", tmp_path / "cifar.tar.gz")
    content = binary_files("cifar10")
    with pytest.raises(InputError, match=r"data_batch_1\.bin has 6145 bytes, not a number of rows of 3073"):
        read_cifar("cifar10", put(tmp_path, content | {"data_batch_1.bin": content["data_batch_1.bin"][:-1]}))


def test_cifar_names_give_the_number_of_classes(tmp_path):
    data = images("cifar100", path=put(tmp_path, python_files("cifar100")))
    assert (data.classes, data.shape, data.class_names[7]) == (100, (3, 32, 32), "class7")
