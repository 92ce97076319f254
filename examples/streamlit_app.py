"""A page to try voices on. `streamlit run streamlit_app.py`."""

from __future__ import annotations

import streamlit as st

from chatterbox_worker.client import ClientError, RunPodServerlessClient


@st.cache_resource
def speech_client() -> RunPodServerlessClient:
    return RunPodServerlessClient()


st.title("Chatterbox")
text = st.text_area("Text", "Hello there.", max_chars=2000)
recording = st.file_uploader("A voice to speak with (6 to 30 seconds)", ["wav", "mp3", "flac", "ogg", "m4a"])
if st.button("Speak", disabled=not text.strip()):
    client = speech_client()
    try:
        with st.spinner("Speaking…"):
            job = client.run(text, format="mp3", reference_audio=recording.getvalue() if recording else None)
            done = client.poll_until_complete(job.id)
            audio = client.audio(done)
    except ClientError as error:
        st.error(str(error))
    else:
        st.audio(audio, format=done.speech.mimetype)
        st.caption(f"{done.speech.duration_s:.1f} s, seed {done.speech.seed}")
        st.download_button("Download", audio, "speech.mp3", done.speech.mimetype)
