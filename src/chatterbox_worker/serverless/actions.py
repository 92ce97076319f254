"""The actions other than speech: this worker, a text as it is read, voices, the lexicon, answers on the volume."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatterbox_worker.catalogue import openai_model
from chatterbox_worker.config import Settings, variable
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.errors import AnswerTooLarge, VolumeFailed, quote
from chatterbox_worker.request import Action, actions, check_deletable, refuse_alias, resolve, voice_language
from chatterbox_worker.serverless.delivery.volume import Volume, is_attached
from chatterbox_worker.serverless.information import JobCounts, info
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import lexicon_at
from chatterbox_worker.text.preview import preview
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.names import id_of
from chatterbox_worker.voices.source import reference_bytes

_REPORT_BYTES = 5000  # of an answer, without the file in it; a path has at most 4096 characters
_MOST_OUTPUTS = 1000  # listed


def act(
    request: Action,
    settings: Settings,
    synthesizer: Synthesizer,
    counts: JobCounts,
    outputs: Volume,
    *,
    most_bytes: int,
) -> dict[str, Any]:
    """The answer, of at most `most_bytes` as JSON.

    Raises:
        WorkerError: the action cannot be done.
    """
    most_bytes -= _REPORT_BYTES
    if isinstance(request, actions.OutputAction):
        return _outputs(request, outputs, most_bytes)
    if isinstance(request, actions.LexiconAction):
        return _lexicon(request, settings)
    match request:
        case actions.InfoRequest():
            return info(settings, synthesizer, counts)
        case actions.TextPreviewRequest():
            return preview(resolve(request.speech, settings), lexicon_at(settings.lexicon))
        case actions.ListModelsRequest():
            names = {name: name for name in settings.models} | settings.model_aliases()
            return {"object": "list", "data": [openai_model(of) | {"id": name} for name, of in names.items()]}
        case _:
            return _voices(request, settings, synthesizer.library, most_bytes)


def _voices(request: actions.VoiceAction, settings: Settings, library: VoiceLibrary, most_bytes: int) -> dict[str, Any]:
    match request:
        case actions.ListVoicesRequest():
            return {"voices": [asdict(entry) for entry in library.list()]}
        case actions.SaveVoiceRequest():
            refuse_alias(id_of(request.voice), settings, field="voice")
            details = VoiceDetails(request.reference_transcript, voice_language(request.language, settings.languages))
            warnings = _lost_with_this_worker(f"voice {quote(request.voice)}", settings.voices_dir, settings)
            data, field = reference_bytes(
                request.reference_audio, request.voice_url, allow_private_urls=settings.allow_private_urls
            )
            saved = library.describe(library.save(request.voice, data, field=field, details=details))
            return {**saved, "warnings": [*saved["warnings"], *warnings]}
        case actions.ExportVoiceRequest():
            return _export(settings.voice_aliases().get(request.voice, request.voice), library, most_bytes)
        case actions.DeleteVoiceRequest():
            check_deletable(request.voice, settings, field="voice")
            library.delete(request.voice)
            return {"voice": request.voice, "deleted": True}


def _lexicon(request: actions.LexiconAction, settings: Settings) -> dict[str, Any]:
    lexicon = lexicon_at(settings.lexicon)
    match request:
        case actions.ListLexiconRequest():
            return lexicon.page(request.language, request.offset)
        case actions.SaveLexiconRequest():
            warnings = _lost_with_this_worker("the lexicon", settings.lexicon, settings)
            count = lexicon.save(request.entries, request.language)
            return {"saved": len(request.entries), "count": count, "warnings": warnings}
        case actions.DeleteLexiconRequest():
            lexicon.delete(request.word, request.language)
            return {"word": request.word, "language": request.language, "deleted": True}


def _outputs(request: actions.OutputAction, outputs: Volume, most_bytes: int) -> dict[str, Any]:
    match request:
        case actions.ListOutputsRequest():
            files = outputs.files()
            return {"outputs": [asdict(file) for file in files[:_MOST_OUTPUTS]], "count": len(files)}
        case actions.GetOutputRequest():
            return _piece(request, outputs, most_bytes // 4 * 3)
        case actions.DeleteOutputRequest():
            outputs.delete(request.path)
            return {"path": request.path, "deleted": True}


def _piece(request: actions.GetOutputRequest, outputs: Volume, most_bytes: int) -> dict[str, Any]:
    """As much of the file as fits; `next_offset` is where the next piece begins, None after the last."""
    data, size_bytes = outputs.read(request.path, request.offset, most_bytes)
    end = request.offset + len(data)
    return {
        "path": request.path, "offset": request.offset, "size_bytes": size_bytes,
        "data_base64": base64.b64encode(data).decode(), "next_offset": end if data and end < size_bytes else None,
    }  # fmt: skip


def _lost_with_this_worker(what: str, path: Path, settings: Settings) -> list[str]:
    """A warning for what would be stored on the container's own disk. Raises VolumeFailed if it must not be."""
    try:
        if is_attached(path):
            return []
    except OSError as error:
        raise VolumeFailed(f"the network volume cannot be used: {error.strerror}") from error
    lost = f"no network volume is attached, so {what} is lost when this worker ends"
    if not settings.voices_on_disk:
        raise VolumeFailed(f"{lost}: attach one, or set {variable('voices_on_disk')}=1 to save it all the same")
    return [lost]


def _export(voice: str, library: VoiceLibrary, most_bytes: int) -> dict[str, Any]:
    """The voice as one file, under the name by which `voices.save` takes it."""
    encoded = base64.b64encode(library.export(voice)).decode()
    if len(encoded) > most_bytes:
        raise AnswerTooLarge(
            f"voice {quote(voice)} takes {len(encoded)} bytes, an answer {most_bytes}; copy its file from the volume",
            field="voice",
        )
    return {"voice": voice, "digest": library.get(voice).digest, "reference_audio": encoded}
