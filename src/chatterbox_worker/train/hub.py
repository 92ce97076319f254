"""Audio sets by `datasets`: a repository of the hub such as MrDragonFox/Elise, a folder of one, or parquet files.

The sound is left as the bytes it is stored in, and decoded by our own `audio.decode`: so no torchcodec is needed, and a clip
that cannot be read is one clip's reason to be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.train.rows import COLUMNS, TranscriptRow, column, require


def rows_of_dataset(name: str, *, config: str | None = None, split: str = "train") -> Iterator[TranscriptRow]:
    """The rows of a set of the hub, of a folder with one, or of a parquet file.

    Raises:
        InvalidRequest: blames `dataset`; it cannot be loaded, or has no columns for audio and text.
    """
    from datasets import Audio, DatasetDict, load_dataset  # noqa: PLC0415 - the train extra

    try:
        if name.endswith(".parquet"):
            loaded = load_dataset("parquet", data_files={split: name}, split=split)
        else:
            loaded = load_dataset(name, config, split=split)
    # load_dataset raises whatever its builders and the hub's client do; none of it is ours to know
    except Exception as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InvalidRequest(f"the dataset {name} cannot be loaded: {why}", field="dataset") from error
    if isinstance(loaded, DatasetDict):
        raise InvalidRequest(f"the dataset {name} has the splits {choices(loaded)}", field="dataset")
    require(loaded.column_names, f"the dataset {name}")
    audio = column(loaded.column_names, "audio")
    if isinstance(loaded.features[audio], Audio):
        loaded = loaded.cast_column(audio, Audio(decode=False))
    return _made(loaded, name)


def _made(loaded: Any, name: str) -> Iterator[TranscriptRow]:
    home = Path(name).parent if name.endswith(".parquet") else Path(name)
    named = {wanted: column(loaded.column_names, wanted) for wanted in COLUMNS}
    texts = loaded.remove_columns([named["audio"]])  # sounds are read when their turn comes, and not kept
    for number, values in enumerate(texts):
        said = {
            wanted: "" if held is None or wanted == "audio" or values[held] is None else str(values[held]).strip()
            for wanted, held in named.items()
        }
        yield TranscriptRow(
            id=said["id"] or _name(loaded, named["audio"] or "", number),
            where=f"{name}, row {number}",
            text=said["text"],
            read=_reader(loaded, named["audio"] or "", number, home),
            language=said["language"] or None,
            speaker=said["speaker"] or None,
        )


def _name(loaded: Any, audio: str, number: int) -> str:
    sound = loaded[number][audio]
    path = sound.get("path") if isinstance(sound, Mapping) else None
    return Path(path).stem if path else f"row-{number}"


def _reader(loaded: Any, audio: str, number: int, home: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        sound = loaded[number][audio]
        stored = sound.get("bytes") if isinstance(sound, Mapping) else sound
        if isinstance(stored, bytes):
            return stored
        path = sound.get("path") if isinstance(sound, Mapping) else sound
        if not isinstance(path, str) or not path:
            raise InvalidRequest("it holds no audio", field="audio")
        try:
            return (home / path).read_bytes()
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}", field="audio") from error

    return read
