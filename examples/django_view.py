"""A Django view that speaks. In urls.py: `path("speak/", django_view.speak)`; then POST text=Hello. to /speak/."""

from __future__ import annotations

from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from chatterbox_worker.client import ClientError, JobFailed, RunPodServerlessClient


@cache
def speech_client() -> RunPodServerlessClient:
    return RunPodServerlessClient()  # one per process, created on first use


@require_POST  # type: ignore[untyped-decorator]  # Django has no types of its own
def speak(request: HttpRequest) -> HttpResponse:
    client = speech_client()
    try:
        job = client.runsync(request.POST.get("text", ""), format="mp3")
        audio = client.audio(job)
    except JobFailed as error:
        return JsonResponse({"error": str(error), "field": error.field}, status=400 if error.field else 502)
    except ClientError as error:
        return JsonResponse({"error": str(error)}, status=503)
    response = HttpResponse(audio, content_type=job.speech.mimetype)
    response["Content-Disposition"] = 'inline; filename="speech.mp3"'
    return response
