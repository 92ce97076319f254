// Speak a text and save it as mp3, in plain JavaScript (Node 18 or newer).
//   RUNPOD_ENDPOINT_ID=... RUNPOD_API_KEY=... node speak.mjs "Hello there." out.mp3
import { writeFile } from "node:fs/promises";

const base = process.env.RUNPOD_ENDPOINT_BASE_URL ?? "https://api.runpod.ai/v2";
const endpoint = `${base}/${process.env.RUNPOD_ENDPOINT_ID}`;
const headers = { Authorization: `Bearer ${process.env.RUNPOD_API_KEY}`, "Content-Type": "application/json" };

async function call(path, body) {
  const response = await fetch(endpoint + path, {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  return response.json();
}

async function speak(input, timeoutMs = 600_000) {
  let job = await call("/run", { input });
  const deadline = Date.now() + timeoutMs;
  for (let pauseMs = 300; ["IN_QUEUE", "IN_PROGRESS"].includes(job.status); pauseMs = Math.min(pauseMs * 1.5, 2000)) {
    if (Date.now() > deadline) throw new Error(`job ${job.id} is still ${job.status}`);
    await new Promise((done) => setTimeout(done, pauseMs * (0.8 + 0.4 * Math.random())));
    job = await call(`/status/${job.id}`);
  }
  if (job.status !== "COMPLETED") throw new Error(`${job.output?.code ?? job.status}: ${job.error}`);
  return job.output;
}

async function audioOf(output) {
  if (output.audio_base64) return Buffer.from(output.audio_base64, "base64");
  if (!output.audio_url) throw new Error(`no audio to fetch; it is at ${output.audio_path}`);
  const response = await fetch(output.audio_url); // a large answer is in a bucket; the key is not sent there
  if (!response.ok) throw new Error(`HTTP ${response.status} from the bucket`);
  return Buffer.from(await response.arrayBuffer());
}

const [text, path = "out.mp3"] = process.argv.slice(2);
try {
  const output = await speak({ text, format: "mp3" });
  await writeFile(path, await audioOf(output));
  console.log(`${output.duration_s} s of audio, seed ${output.seed}: ${path}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
