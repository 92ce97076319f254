// OpenAI's official library for Node.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const check = (isRight, what) => {
  if (!isRight) throw new Error(what);
};

const models = [];
for await (const model of client.models.list()) models.push(model.id);
check(models.includes("gpt-4o-mini-tts"), "the list of models");

const speech = { model: "gpt-4o-mini-tts", voice: "coral", input: "Hello from Node." };
const whole = await client.audio.speech.create(speech);
check((await whole.arrayBuffer()).byteLength > 5000, "speech");

const stream = await client.audio.speech.create({ ...speech, response_format: "pcm", stream_format: "audio" });
let bytes = 0;
for await (const piece of stream.body) bytes += piece.length;
check(bytes > 20_000, "a stream");

const refusal = await client.audio.speech.create({ ...speech, input: "" }).catch((error) => error);
check(refusal instanceof OpenAI.BadRequestError && refusal.param === "input", "a refusal");

console.log(`ok openai ${(await import("openai/version")).VERSION} on Node ${process.version}`);
