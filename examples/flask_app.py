"""A Flask route that speaks. `flask --app flask_app run`, then POST {"text": "Hello."} to /speak."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from chatterbox_worker.client import ClientError, JobFailed, RunPodServerlessClient

app = Flask(__name__)
client = RunPodServerlessClient()  # safe to share between threads


@app.post("/speak")
def speak() -> Response:
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return _refusal("text is required", 400)
    try:
        job = client.runsync(text, format="mp3")
        audio = client.audio(job)
    except JobFailed as error:
        return _refusal(str(error), 400 if error.field else 502)
    except ClientError as error:
        return _refusal(str(error), 503)
    return Response(audio, mimetype=job.speech.mimetype)


def _refusal(sentence: str, status: int) -> Response:
    response = jsonify(error=sentence)
    response.status_code = status
    return response
