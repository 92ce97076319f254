"""A FastAPI route that speaks. `uvicorn fastapi_app:app`, then GET /speak?text=Hello."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response

from chatterbox_worker.client import AsyncRunPodServerlessClient, ClientError, JobFailed


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncRunPodServerlessClient() as client:  # one client, and its connections, for all requests
        app.state.speech = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/speak", response_class=Response)
async def speak(request: Request, text: Annotated[str, Query(max_length=1000)], voice: str | None = None) -> Response:
    client: AsyncRunPodServerlessClient = request.app.state.speech
    try:
        job = await client.runsync(text, voice=voice, format="mp3")
        audio = await client.audio(job)
    except JobFailed as error:
        is_callers_fault = error.field is not None
        raise HTTPException(422 if is_callers_fault else 502, str(error)) from error
    except ClientError as error:
        raise HTTPException(503, str(error)) from error
    return Response(audio, media_type=job.speech.mimetype)
