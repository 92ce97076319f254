"""The HTTP edge: OpenAI-compatible speech, the library of voices, a WebSocket, and the web page's host."""
