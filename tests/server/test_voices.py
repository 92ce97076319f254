"""The library of voices over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatterbox_worker.voices.reference import MAX_BYTES
from support.audio_clips import wav_bytes
from support.serving import HeldEngine, Open

RECORDING = wav_bytes()
_FORM = "multipart/form-data; boundary=x"


@pytest.mark.anyio
async def test_a_voice_is_uploaded_listed_read_used_and_deleted(open_server: Open) -> None:
    async with open_server() as http:
        saved = await http.post("/voices", files={"file": ("x.wav", RECORDING)}, data={"voice_id": "alice"})
        listed = (await http.get("/voices")).json()
        about = (await http.get("/voices/alice")).json()
        recording = await http.get("/voices/alice/audio")
        spoken = await http.post("/v1/audio/speech", json={"input": "Hello.", "voice": "alice", "captions": "json"})
        deleted = await http.delete("/voices/alice.wav")
        gone = await http.get("/voices/alice")

    assert saved.status_code == 201
    assert saved.json()["voice_id"] == "alice"
    assert saved.json()["message"] == "Voice uploaded successfully."
    assert listed == ["default", "alice"]
    assert about["duration_s"] == pytest.approx(6.0)
    assert about["digest"] == saved.json()["digest"]
    assert recording.headers["content-type"] == "audio/flac"
    assert recording.content[:4] == b"fLaC"
    assert spoken.json()["voice"] == "alice"
    assert deleted.status_code == 200
    assert gone.status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("files", "data", "status", "field"),
    [
        ({"voice_id": (None, "a")}, {}, 400, "file"),
        ({"file": ("a.wav", b"not audio")}, {}, 400, "file"),
        ({"file": ("a.wav", b"")}, {}, 400, "file"),
        ({"file": ("../../a.wav", RECORDING)}, {}, 400, "voice_id"),
        ({"file": ("", RECORDING)}, {}, 400, "file"),
        ({"file": ("a.wav", RECORDING)}, {"voice_id": "../a"}, 400, "voice_id"),
        ({"file": ("a.wav", RECORDING)}, {"voice_id": "default"}, 400, "voice_id"),
        ({"file": ("a.wav", RECORDING)}, {"name": "a/b"}, 400, "name"),
        ({"file": ("a.wav", RECORDING)}, {"colour": "red"}, 400, "colour"),
        ({"picture": ("a.png", b"x")}, {}, 400, "picture"),
        ([("file", ("a.wav", RECORDING)), ("file", ("b.wav", RECORDING))], {}, 400, "file"),
        ({"file": ("a.wav", bytes(MAX_BYTES + 1))}, {}, 413, "file"),
    ],
)
async def test_an_upload_that_cannot_be_a_voice_is_refused(
    open_server: Open, files: Any, data: Any, status: int, field: str
) -> None:
    async with open_server() as http:
        answer = await http.post("/voices", files=files, data=data)

    assert answer.status_code == status, answer.text
    assert answer.json()["field"] == field


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "field"), [("/upload_reference", "files"), ("/watermark/detect", "file")])
async def test_a_form_without_its_file_is_refused_by_name(open_server: Open, path: str, field: str) -> None:
    async with open_server() as http:
        answer = await http.post(path, content=b"--x--\r\n", headers={"Content-Type": _FORM})

    assert answer.status_code == 400
    assert answer.json()["field"] == field


@pytest.mark.anyio
async def test_only_a_valid_form_is_accepted(open_server: Open) -> None:
    async with open_server() as http:
        not_a_form = await http.post("/voices", json={"file": "x"})
        broken = await http.post("/voices", content=b"x", headers={"Content-Type": "multipart/form-data"})
        slow = await http.post("/voices", content=b"--x--", headers={"Content-Type": f"{_FORM}; charset=idna"})

    assert not_a_form.status_code == 415
    assert (slow.status_code, "charset" in slow.text) == (415, True)
    assert broken.status_code == 400


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/voices/default", "/voices/default/audio", "/voices/..%2Fetc", "/voices/.hidden"])
async def test_only_recordings_of_the_library_can_be_read_or_deleted(open_server: Open, path: str) -> None:
    async with open_server() as http:
        read = await http.get(path)
        deleted = await http.delete(path.removesuffix("/audio"))

    assert (read.status_code, path) == (200, "/voices/default") or read.status_code in (400, 404)
    assert deleted.status_code in (400, 404, 405)  # 405 is the page's: its files can only be read


@pytest.mark.anyio
async def test_another_name_of_a_voice_leads_to_it_and_does_not_delete_it(open_server: Open) -> None:
    async with open_server() as http:
        for name in ("alice", "alloy"):
            await http.post("/voices", files={"file": ("x.wav", RECORDING)}, data={"voice_id": name})
    async with open_server(aliases=("lucy=alice", "alloy=default")) as http:
        alice, lucy, alloy = [(await http.get(f"/voices/{name}")).json() for name in ("alice", "lucy.wav", "alloy")]
        files = [(await http.get(f"/voices/{name}/file")).content for name in ("alice", "lucy")]
        recording = await http.get("/voices/lucy/audio")
        own = await http.get("/voices/alloy/audio")
        refused = [await http.delete(f"/voices/{name}") for name in ("lucy", "alloy.wav")]
        listed = [(await http.get(path)).json() for path in ("/voices", "/get_reference_files")]

    assert lucy == alice | {"id": "lucy", "name": "lucy", "alias_of": "alice"}
    assert alloy == {"id": "alloy", "name": "alloy", "built_in": True, "alias_of": "default"}
    assert files[0] == files[1]
    assert recording.content[:4] == b"fLaC"
    assert (own.status_code, own.json()["field"]) == (400, "voice_id")
    assert [(answer.status_code, answer.json()["field"]) for answer in refused] == [(400, "voice_id")] * 2
    assert "'lucy' is another name of 'alice' here" in refused[0].json()["error"]
    assert listed == [["default", "alice"], ["alice.wav"]]


@pytest.mark.anyio
async def test_a_voice_that_is_used_by_name_in_the_clone_form_must_exist(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post("/clone-voice", data={"text": "Hola mundo", "voice_name": "voices"})

    assert answer.status_code == 404
    assert "there are default" in answer.json()["error"]
    assert answer.json()["field"] == "voice_name"


@pytest.mark.anyio
async def test_a_file_without_an_id_gets_one_from_its_name_and_keeps_the_name(open_server: Open) -> None:
    async with open_server() as http:
        saved = await http.post("/voices", files={"file": ("New Recording 5.m4a", RECORDING)})
        again = await http.post("/upload-voice", files={"file": ("x.wav", RECORDING)}, data={"voice_name": "Zoë"})
        listed = (await http.get("/v1/voices")).json()["data"]
        long = await http.post("/voices", files={"file": (f"{'long ' * 40}.wav", RECORDING)})
        about = (await http.get("/voices/New-Recording-5")).json()
        spoken = await http.post("/v1/audio/speech", json={"input": "Hello.", "voice": saved.json()["voice_id"]})

    assert saved.json()["voice_id"] == saved.json()["voice"] == "New-Recording-5"
    assert saved.json()["name"] == about["name"] == "New Recording 5"
    assert (again.json()["voice"], again.json()["name"]) == ("Zoe", "Zoë")
    assert [(entry["id"], entry["name"]) for entry in listed[1:]] == [
        ("New-Recording-5", "New Recording 5"), ("Zoe", "Zoë")
    ]  # fmt: skip
    assert long.json()["voice"] == "-".join(["long"] * 13)[:64].rstrip("-")
    assert spoken.status_code == 200


@pytest.mark.anyio
async def test_what_will_be_heard_in_a_voice_is_said_when_it_is_saved(open_server: Open) -> None:
    async with open_server() as http:
        short = await http.post("/voices", files={"file": ("a.wav", wav_bytes(3.0))})
        none = await http.post("/voices", files={"file": ("a.wav", wav_bytes(0.3))})
        kept = (await http.get("/voices/a")).json()

    assert any("cannot be used with turbo or nano" in warning for warning in short.json()["warnings"])
    assert (none.status_code, none.json()["field"]) == (400, "file")
    assert "at least 0.5 s" in none.json()["error"]
    assert kept["digest"] == short.json()["digest"]


@pytest.mark.anyio
async def test_a_voice_moves_from_one_server_to_another_as_one_file(open_server: Open) -> None:
    async with open_server() as http:
        await http.post("/voices", files={"file": ("alice.wav", RECORDING)})
        out = await http.get("/voices/alice/file")
        back = await http.post("/voices", files={"file": ("bob.safetensors", out.content)})
        again = await http.get("/voices/bob/file")
        recording = await http.get("/voices/bob/audio")
        none = await http.get("/voices/default/file")
        unknown = await http.get("/voices/unknown/file")

    assert out.headers["content-disposition"] == 'attachment; filename="alice.safetensors"'
    assert back.json()["voice_id"] == "bob"
    assert back.json()["duration_s"] == 6.0
    assert again.content == out.content
    assert recording.content[:4] == b"RIFF"
    assert (none.status_code, unknown.status_code) == (400, 404)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "name", "file"),
    [
        ("/voices", "voice_id", "file"),
        ("/upload-voice", "voice_name", "file"),
        ("/v1/voices", "voice_name", "voice_file"),
    ],
)
async def test_a_voice_is_saved_with_its_language(open_server: Open, path: str, name: str, file: str) -> None:
    async with open_server() as http:
        saved = await http.post(path, files={file: ("x.wav", RECORDING)}, data={name: "alice", "language": "EN-us"})
        refused = await http.post(path, files={file: ("x.wav", RECORDING)}, data={name: "bob", "language": "klingon"})
        about = (await http.get("/voices/alice")).json()
        listed = (await http.get("/v1/voices")).json()["data"]
        unknown = await http.post(path, files={file: ("x.wav", RECORDING)}, data={name: "alice", "language": ""})

    assert saved.json()["language"] == about["language"] == "en"
    assert [voice.get("language") for voice in listed] == [None, "en"]  # the first is the model's own
    assert refused.status_code == 400
    assert "language must be ar, " in refused.text
    assert unknown.json()["language"] is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "fields", "weight"),
    [
        ("/v1/audio/speech", {"input": "Hola.", "voice": "alice", "language": "es"}, 0.0),
        ("/v1/audio/speech", {"input": "Hola.", "voice": "alice", "language": "es", "cfg_weight": 0.5}, 0.5),
        ("/tts", {"text": "Hola.", "predefined_voice_id": "alice.wav"}, 0.0),
        ("/tts", {"text": "Hola.", "predefined_voice_id": "alice.wav", "cfg_weight": 0.5}, 0.5),
        ("/tts", {"text": "Hi.", "predefined_voice_id": "alice.wav", "language": "en"}, 0.5),
    ],
)
async def test_a_text_in_another_language_than_its_voice_is_spoken_without_guidance(
    open_server: Open, engine: HeldEngine, path: str, fields: dict[str, Any], weight: float
) -> None:
    async with open_server() as http:
        await http.post("/voices", files={"file": ("alice.wav", RECORDING)}, data={"language": "en"})
        answer = await http.post(path, json=fields)

    assert answer.status_code == 200
    (take,) = engine.takes
    assert take.utterance.sampling["cfg_weight"] == weight
    warnings = json.loads(answer.headers.get("X-Chatterbox-Warnings", "[]"))
    assert [warning.split(":")[0] for warning in warnings] == (
        [] if weight else ["voice 'alice' is in en and the text in es"]
    )
