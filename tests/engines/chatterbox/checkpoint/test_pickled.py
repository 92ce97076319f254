"""A pickle from elsewhere runs nothing, and takes neither more memory nor more time than its size allows."""

from __future__ import annotations

import pickle
import time
import zipfile
from pathlib import Path

import pytest

from chatterbox_worker.engines.chatterbox.checkpoint.contents import examine
from chatterbox_worker.errors import NotReady


def _archive(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
    return path


def _share() -> list[object]:
    """A billion objects, in a pickle of 6 kB."""
    value: list[object] = [0]
    for _ in range(3):
        value = [value] * 1000
    return value


def _nest() -> bytes:
    """A dictionary whose key is a pair of twice the same pair, and so on: a hash of it visits 2**60 objects."""
    return b"}K\x00K\x00\x86" + b"".join(b"q%c0h%ch%c\x86" % (i, i, i) for i in range(60)) + b"K\x00s."


class _Call:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("called",)


def _claims(shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A pickle of torch's with a tensor that repeats the one number that is stored."""
    text = b"\x80\x02}X\x01\x00\x00\x00ac" + b"torch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagec"
    text += b"torch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00"
    for each in (shape, strides):
        text += b"(" + b"".join(b"J" + value.to_bytes(4, "little") for value in each) + b"t"
    return text + b"\x89c" + b"collections\nOrderedDict\n)RtRs."


@pytest.mark.parametrize(
    ("content", "compression", "why"),
    [
        (pickle.dumps({"a": _Call()}), zipfile.ZIP_STORED, "builtins.print, which weights do not need"),
        (_claims((2**30, 2**30), (0, 0)), zipfile.ZIP_STORED, "its tensors take 4611686018427387904 bytes"),
        (pickle.dumps([0] * 100_000), zipfile.ZIP_DEFLATED, "it is compressed"),
        (pickle.dumps(_share()), zipfile.ZIP_STORED, "it has more objects than weights have"),
        (pickle.dumps([{"k" * 1000: [0] * 100_000}]), zipfile.ZIP_STORED, "it has more objects than weights have"),
        (_nest(), zipfile.ZIP_STORED, "neither a short text nor a number"),
        (b"G\x00", zipfile.ZIP_STORED, "cannot be read"),
        (b"\x80\x05\x96" + b"\xff" * 7 + b"\x00.", zipfile.ZIP_STORED, "cannot be read"),
        (b"]" + b"\x94" * 10 + b"(" * 10, zipfile.ZIP_STORED, "cannot be read"),
    ],
)
def test_a_pickle_runs_nothing_and_reserves_nothing(
    tmp_path: Path, content: bytes, compression: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotReady, match=why):
        examine(_archive(tmp_path / "t3.pt", content, compression))
    assert capsys.readouterr().out == ""


def _text(content: bytes) -> bytes:
    return b"X" + len(content).to_bytes(4, "little") + content


_MEMO = b"q\x00"
_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
_STORAGE = b"(" + _text(b"storage") + b"ctorch\nFloatStorage\n" + _text(b"0") + _text(b"cpu") + b"K\x00tQ"
_SAME_HASH = 2**61 - 1  # Python's hash of a whole number is its remainder by it


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(
            b"}("
            + b"".join(b"\x8a\x0a" + (n * _SAME_HASH).to_bytes(10, "little") + b"N" for n in range(150_000))
            + b"u",
            "neither a short text nor a number", id="keys-of-the-same-hash",
        ),
        pytest.param(
            b"}(" + b"K\x00" * 200_000 + b"t" + _MEMO + b"Ns" + b"h\x00Ns" * 100_000,
            "neither a short text nor a number", id="a-long-key-used-often",
        ),
        pytest.param(
            b"}" + _text(b"k" * 2**20) + b"Ns" + _text(b"k" * 2**20) + _MEMO + b"Ns" + b"h\x00Ns" * 300_000,
            "neither a short text nor a number", id="equal-long-keys",
        ),
        pytest.param(
            b"".join(b"Np%d\n0" % (n * _SAME_HASH) for n in range(100_000)) + b"N", "cannot be read",
            id="references-of-the-same-hash",
        ),
        pytest.param(
            b"ccollections\nOrderedDict\n)R}("
            + b"".join(_text(b"%d" % n) + b"N" for n in range(50_000)) + b"u" + _MEMO + b"b" + b"h\x00b" * 100_000,
            None, id="attributes-given-often",
        ),
        pytest.param(
            b"(" + _text(b"storage") + b"ctorch\nFloatStorage\n" + b"K\x00" * 500_000 + b"t" + _MEMO + b"Q0"
            + b"h\x00Q0" * 100_000 + b"N",
            "a storage that is not given by storage, type, key, location, length", id="a-long-storage-used-often",
        ),
        pytest.param(
            _TENSOR + b"(" + _STORAGE + b"K\x00(" + b"J\xff\xff\xff\x7f" * 500_000 + b"t)\x89}tR",
            "a tensor whose shape is not a tuple of lengths", id="many-dimensions",
        ),
        pytest.param(
            _TENSOR + b"q\x01(" + _STORAGE + b"K\x00)" + b"K\x00" * 500_000 + b"t" + _MEMO + b"R0"
            + b"h\x01h\x00R0" * 100_000 + b"N",
            "cannot be read", id="many-arguments-given-often",
        ),
    ],
)  # fmt: skip
def test_a_pickle_takes_time_in_proportion_to_its_size(tmp_path: Path, content: bytes, why: str | None) -> None:
    """Each takes from 10 s to hours where what the file repeats is read whole each time."""
    path = _archive(tmp_path / "t3.pt", b"\x80\x02" + content + b".")
    started_s = time.process_time()
    if why is None:
        assert not examine(path).parts
    else:
        with pytest.raises(NotReady, match=why):
            examine(path)
    assert time.process_time() - started_s < 10
