"""Audio sets read by `datasets`: a repository of the hub such as MrDragonFox/Elise, a folder of one, or parquet files.

The sound stays in its stored bytes and is decoded by `audio.decode`. So torchcodec is not needed, and a clip that
cannot be read is refused without stopping the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.train.rows import COLUMNS, TranscriptRow, column, require, unused


def rows_of_dataset(name: str, *, config: str | None = None, split: str = "train") -> Iterator[TranscriptRow]:
    """The rows of a set of the hub, of a folder with one, or of a parquet file.

    Raises:
        InvalidRequest: names `dataset`; it cannot be loaded, or has no columns for audio and text.
    """
    from datasets import Audio, DatasetDict, load_dataset  # noqa: PLC0415 - the train extra

    try:
        if name.endswith(".parquet"):
            loaded = load_dataset("parquet", data_files={split: name}, split=split)
        else:
            loaded = load_dataset(name, config, split=split)
    # load_dataset raises any exception of its builders and of the hub's client
    except Exception as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InvalidRequest(f"the dataset {name} cannot be loaded: {why}", field="dataset") from error
    if isinstance(loaded, DatasetDict):
        raise InvalidRequest(f"the dataset {name} has the splits {choices(loaded)}", field="dataset")
    require(loaded.column_names, f"the dataset {name}")
    audio = column(loaded.column_names, "audio")
    if isinstance(loaded.features[audio], Audio):
        loaded = loaded.cast_column(audio, Audio(decode=False))
    return _read_rows(loaded, name)


def _read_rows(loaded: Any, name: str) -> Iterator[TranscriptRow]:
    folder = Path(name).parent if name.endswith(".parquet") else Path(name)
    columns = {wanted: column(loaded.column_names, wanted) for wanted in COLUMNS}
    texts = loaded.remove_columns([columns["audio"]])  # sounds are read when they are needed, and not cached
    names: set[str] = set()
    for number, values in enumerate(texts):
        fields = {
            wanted: "" if own is None or wanted == "audio" or values[own] is None else str(values[own]).strip()
            for wanted, own in columns.items()
        }
        yield TranscriptRow(
            id=fields["id"] or unused(_stem(loaded, columns["audio"] or "", number), f"row-{number}", names),
            where=f"{name}, row {number}",
            text=fields["text"],
            read=_reader(loaded, columns["audio"] or "", number, folder),
            language=fields["language"] or None,
            speaker=fields["speaker"] or None,
        )


def _stem(loaded: Any, audio: str, number: int) -> str:
    sound = loaded[number][audio]
    path = sound.get("path") if isinstance(sound, Mapping) else None
    return Path(path or "").stem


def _reader(loaded: Any, audio: str, number: int, folder: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        sound = loaded[number][audio]
        stored = sound.get("bytes") if isinstance(sound, Mapping) else sound
        if isinstance(stored, bytes):
            return stored
        path = sound.get("path") if isinstance(sound, Mapping) else sound
        if not isinstance(path, str) or not path:
            raise InvalidRequest("it has no audio", field="audio")
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}", field="audio") from error

    return read
