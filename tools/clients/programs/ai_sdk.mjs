// Vercel's AI SDK with its provider for OpenAI.

import { createRequire } from "node:module";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_generateSpeech as generateSpeech } from "ai";

const openai = createOpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
const check = (isRight, what) => {
  if (!isRight) throw new Error(what);
};

const speech = { model: openai.speech("tts-1"), text: "Hello from the AI SDK." };
const { audio } = await generateSpeech(speech);
check(audio.mediaType === "audio/mpeg" && audio.uint8Array.length > 5000, "speech");

const refusal = await generateSpeech({ ...speech, instructions: "Sing." }).catch((error) => error);
check(refusal.statusCode === 400 && refusal.message.includes("instructions"), "a refusal");

console.log(`ok ai ${createRequire(import.meta.url)("ai/package.json").version} on Node ${process.version}`);
