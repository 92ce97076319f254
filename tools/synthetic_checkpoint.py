"""Write a Chatterbox or CSM checkpoint of random weights, in the hub's exact layout: the files, keys, shapes and types.

    python tools/synthetic_checkpoint.py DIR --model turbo --size tiny

It generates noise, at full cost or (tiny) at almost none: for tests, for benchmarks and for trying a worker before the
weights are downloaded. "full" has the real dimensions (2.1 GB of T3 for the 500M models); "tiny" has the same keys with
fewer layers and narrow widths. Tensors of T3 are written one at a time, so memory holds one tensor, not the model.

It has nothing that comes from training. In particular it never stops: its end-of-speech logit is so low that sampling
never draws it, so every utterance runs to the caller's limit of tokens.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

if __package__ in (None, ""):  # started as a file: `tools` is imported from the repository's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    LAYOUTS,
    SPEAKER_WIDTH,
    SPEECH_CODES,
    Layout,
)
from tools.synthetic_csm import write_csm
from tools.synthetic_tokenizer import write_tokenizer
from tools.synthetic_weights import CPU, Shape, fill
from tools.upstream import SIZES, Sizes, build_s3gen, build_t3, build_voice_encoder, shapes

_Shapes = Mapping[str, tuple[Shape, torch.dtype]]
_Draw = Callable[..., torch.Tensor]
"""`fill` with its seed and device."""
_TYPES = {torch.float32: ("F32", 4), torch.int64: ("I64", 8)}
_MEL_BUFFERS = ("tokenizer._mel_filters", "tokenizer.window")
"""Buffers that upstream computes; its strict loaders need them in the file, its lenient ones do not."""


def write_checkpoint(
    folder: Path,
    layout: Layout | None,
    *,
    size: str = "tiny",
    seed: int = 0,
    device: torch.device = CPU,
    on_progress: Callable[[str], object] = lambda _: None,
) -> None:
    """Fill `folder` with all files of `layout`, or of CSM if it is None, deterministically for a seed.

    The folder appears complete or not at all. `device` draws the tensors: a GPU is faster, with values of its own.

    Raises:
        FileExistsError: `folder` exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    draw = functools.partial(fill, seed=seed, device=device)
    try:
        if layout is None:
            on_progress(
                "CSM's language model and codec: 7.13 GB" if size == "full" else "CSM's language model and codec"
            )
            write_csm(draft, size, seed, lambda path, parts, known: _write_safetensors(path, parts, draw, known))
        else:
            _write_parts(draft, layout, SIZES[size], draw, on_progress)
            torch.save(_conditionals(layout, seed, small=size == "tiny"), draft / layout.conditionals)
        draft.chmod(0o755)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_parts(folder: Path, layout: Layout, sizes: Sizes, draw: _Draw, on_progress: Callable[[str], object]) -> None:
    with torch.device("meta"):
        t3 = shapes(build_t3(layout, sizes))
        voice_encoder = shapes(build_voice_encoder())
    on_progress(f"{layout.t3}: {_gigabytes(t3)}")
    _write_safetensors(folder / layout.t3, t3, draw)
    on_progress(f"{layout.voice_encoder}: {_gigabytes(voice_encoder)}")
    _write(folder / layout.voice_encoder, voice_encoder, draw, {})
    with torch.device("meta"):
        s3gen = shapes(build_s3gen(sizes, meanflow=layout.meanflow))
    on_progress(f"{layout.s3gen}: {_gigabytes(s3gen)}")
    strict = layout.s3gen in ("s3gen.pt", "s3gen_meanflow.safetensors")
    s3gen = {name: entry for name, entry in s3gen.items() if strict or name not in _MEL_BUFFERS}
    _write(folder / layout.s3gen, s3gen, draw, _mel_buffers() if strict else {})
    on_progress("tokenizer and built-in voice")
    write_tokenizer(folder, layout)


def _gigabytes(parts: _Shapes) -> str:
    return f"{sum(shape.numel() for shape in (torch.Size(s) for s, _ in parts.values())) * 4 / 1e9:.2f} GB"


def _mel_buffers() -> dict[str, torch.Tensor]:
    """S3Tokenizer's front end: 128 Slaney mel filters for 400-point spectra at 16 kHz, and a Hann window."""
    from librosa.filters import mel  # noqa: PLC0415 - 2 s of imports, needed for few files

    return dict(
        zip(
            _MEL_BUFFERS, (torch.from_numpy(mel(sr=16_000, n_fft=400, n_mels=128)), torch.hann_window(400)), strict=True
        )
    )


def _write(path: Path, parts: _Shapes, draw: _Draw, known: Mapping[str, torch.Tensor]) -> None:
    if path.suffix == ".safetensors":
        _write_safetensors(path, parts, draw, known)
    else:
        torch.save({name: _tensor(path, name, shape, draw, known) for name, (shape, _) in parts.items()}, path)


def _tensor(path: Path, name: str, shape: Shape, draw: _Draw, known: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return known[name] if name in known else draw(name, shape, file=path.stem)


def _write_safetensors(
    path: Path, parts: _Shapes, draw: _Draw, known: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Header first, then tensor by tensor, each computed just before it is written (the library needs all at once)."""
    header: dict[str, object] = {}
    end = 0
    for name, (shape, dtype) in parts.items():
        code, width = _TYPES[dtype]
        start, end = end, end + torch.Size(shape).numel() * width
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to 8 bytes
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, (shape, _) in parts.items():
            file.write(_tensor(path, name, shape, draw, known or {}).contiguous().numpy().data)


def _conditionals(layout: Layout, seed: int, *, small: bool) -> dict[str, dict[str, torch.Tensor | None]]:
    """The built-in voice: 10 s of reference, the most that upstream's has; 2 s if small."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    def codes(count: int) -> torch.Tensor:
        return torch.randint(0, SPEECH_CODES, (1, count), generator=generator)

    speaker = noise(1, SPEAKER_WIDTH).relu()
    tokens = 50 if small else 250
    return {
        "t3": {
            "speaker_emb": speaker / speaker.norm(),
            "clap_emb": None,
            "cond_prompt_speech_tokens": codes(layout.prompt_tokens),
            "cond_prompt_speech_emb": None,
            "emotion_adv": 0.5 * torch.ones(1, 1, 1),
        },
        "gen": {
            "prompt_token": codes(tokens),
            "prompt_token_len": torch.tensor([tokens]),
            "prompt_feat": noise(1, 2 * tokens, 80) * 2.0 - 5.0,  # log mel: about -11.5 (silence) to 1
            "prompt_feat_len": None,
            "embedding": noise(1, 192),
        },
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.synthetic_checkpoint", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to write; must not exist yet")
    parser.add_argument("--model", default="multilingual", choices=[*LAYOUTS, "csm"])
    parser.add_argument("--size", default="tiny", choices=SIZES)
    parser.add_argument("--seed", default=0, type=int)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    write_checkpoint(
        options.folder, LAYOUTS.get(options.model), size=options.size, seed=options.seed, on_progress=print
    )
    print(f"{options.folder}: {options.model}, {options.size}, in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
