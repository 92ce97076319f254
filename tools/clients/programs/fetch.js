// `fetch` as it is in Node and in a browser's page: `speak(url)` returns what it read.

const speech = { model: "tts-1", voice: "alloy", input: "Hello from fetch.", response_format: "pcm" };

async function speak(url) {
  const post = (body, headers = {}) =>
    fetch(`${url}/v1/audio/speech`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const whole = await post(speech, { "Cache-Control": "no-cache", "X-Stainless-Lang": "js" });
  if (!whole.ok) throw new Error(`${whole.status} ${await whole.text()}`);
  const wholeBytes = (await whole.arrayBuffer()).byteLength;
  const stream = await post({ ...speech, stream_format: "audio" });
  let streamBytes = 0;
  for (const reader = stream.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    streamBytes += value.length;
  }
  const refusal = await (await post({ ...speech, input: null })).json();
  return { wholeBytes, streamBytes, param: refusal.error.param, requestId: whole.headers.get("X-Request-Id") };
}

if (typeof process !== "undefined") {
  speak(process.argv[2]).then((read) => {
    if (!(read.wholeBytes > 20000 && read.streamBytes > 20000 && read.param === "input")) throw new Error(JSON.stringify(read));
    console.log(`ok fetch of Node ${process.version}`);
  });
}
