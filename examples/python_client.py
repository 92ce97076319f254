"""Speak now, later, or piece by piece. RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY select the endpoint."""

from __future__ import annotations

import sys

from chatterbox_worker.client import JobFailed, RunPodServerlessClient


def main(folder: str = "out") -> None:
    with RunPodServerlessClient() as client:
        response = client.runsync("Hello there.", format="mp3", seed=7)
        print(client.save_audio(response, f"{folder}/now.mp3"), response.speech.duration_s, "s")
        segment = response.speech.segment()  # a pydub.AudioSegment, to cut and mix
        print((segment.fade_in(100) + segment[-500:]).export(f"{folder}/cut.wav", format="wav").name)

        job = client.run("A longer text may take its time.", format="opus")
        print(client.save_audio(client.poll_until_complete(job.id), f"{folder}/later.opus"))

        with client.stream("And this one can be played while it is generated.", format="mp3") as stream:
            for chunk in stream:
                print("piece", chunk.index, "starts at", chunk.start_s, "s:", len(chunk.audio), "bytes")

        try:
            client.runsync("Hello.", voice="no-such-voice")
        except JobFailed as error:
            print(f"{error.code}, {error.field}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
