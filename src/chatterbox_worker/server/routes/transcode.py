"""The same audio in another format, for clients that streamed it and want to save it: nothing is generated again.

`/convert` is the name of older versions; a voice is converted by `/voice-conversion`.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chatterbox_worker.audio.decode import decode_in_pieces
from chatterbox_worker.audio.encode import encode_pieces
from chatterbox_worker.catalogue import FORMATS, MODEL_RATE
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request import check_bitrate
from chatterbox_worker.server import answers, bodies, schemas
from chatterbox_worker.server.sliced import SlicedResponse
from chatterbox_worker.server.state import State
from chatterbox_worker.server.threads import run_conversion

router = APIRouter(tags=["speech"])

LONGEST_S = 1_800.0  # 25 MB, the limit of an upload, is 9 minutes of wav at 24 kHz and more in other formats
_FIELDS = {
    "file": schemas.FILE,
    "format": schemas.TEXT | {"enum": list(FORMATS)},
    "sample_rate": schemas.fields()["sample_rate"],
    "bitrate_kbps": schemas.fields()["bitrate_kbps"] | {"description": "Of mp3."},
}


_ANSWER = answers.instead_of_json({200: answers.audio() | {"description": "The audio.", "headers": {}}})


@router.post("/transcode", **schemas.form(_FIELDS, "file", "format"), **_ANSWER)
@router.post("/convert", **schemas.form(_FIELDS, "file", "format"), **_ANSWER)
async def transcode(http: Request, state: State) -> Response:
    async with bodies.read_form(http, files=("file",), texts=("format", "sample_rate", "bitrate_kbps")) as form:
        fields = dict(form)
    if "file" not in fields:
        raise InvalidRequest("file is required: the recording", field="file")
    audio_format = fields.get("format", "").lower()
    if audio_format not in FORMATS:
        raise InvalidRequest(f"format must be {choices(FORMATS)}, not {quote(audio_format)}", field="format")
    rate = fields.get("sample_rate", str(MODEL_RATE))
    rates = FORMATS[audio_format].sample_rates
    if rate not in [str(known) for known in rates]:
        raise InvalidRequest(f"sample_rate must be {choices(rates)}, not {quote(rate)}", field="sample_rate")
    kbps = fields.get("bitrate_kbps")
    if kbps is not None and not (kbps.isdecimal() and len(kbps) < 5):
        raise InvalidRequest(f"bitrate_kbps must be a whole number, not {quote(kbps)}", field="bitrate_kbps")
    bitrate = None if kbps is None else int(kbps)
    if bitrate is not None:
        check_bitrate(bitrate, audio_format, int(rate))
    data: bytes = fields["file"]

    def work() -> bytes:
        pieces = decode_in_pieces(data, field="file", max_s=LONGEST_S, sample_rate=int(rate))
        return encode_pieces(pieces, audio_format, int(rate), bitrate)

    with state.admission.place():
        return SlicedResponse(await run_conversion(work), media_type=FORMATS[audio_format].mimetype)
