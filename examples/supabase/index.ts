// A Supabase Edge Function: POST {"text": "Hello."} and get an mp3. Saved as supabase/functions/speak/index.ts.
//   supabase secrets set RUNPOD_ENDPOINT_ID=... RUNPOD_API_KEY=...
declare const Deno: {
  env: { get(name: string): string | undefined };
  serve(handler: (request: Request) => Promise<Response>): void;
};

type Job = {
  id: string;
  status: string;
  error?: string;
  output?: { audio_base64?: string; audio_url?: string; mimetype: string; code?: string; field?: string };
};

const base = Deno.env.get("RUNPOD_ENDPOINT_BASE_URL") ?? "https://api.runpod.ai/v2";
const endpoint = `${base}/${Deno.env.get("RUNPOD_ENDPOINT_ID") ?? ""}`;
const key = Deno.env.get("RUNPOD_API_KEY") ?? "";
const DEADLINE_MS = 120_000; // an Edge Function itself ends at 150 s on the free plan

async function runpod(path: string, body?: unknown): Promise<Job> {
  const response = await fetch(endpoint + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`RunPod answered ${response.status}`);
  return await response.json();
}

async function speak(text: string): Promise<Job> {
  const deadline = Date.now() + DEADLINE_MS;
  let job = await runpod("/runsync?wait=90000", { input: { text, format: "mp3" } });
  while (["IN_QUEUE", "IN_PROGRESS"].includes(job.status) && Date.now() < deadline) {
    await new Promise((done) => setTimeout(done, 1000));
    job = await runpod(`/status/${job.id}`);
  }
  return job;
}

Deno.serve(async (request: Request): Promise<Response> => {
  const { text } = await request.json().catch(() => ({}));
  if (typeof text !== "string") return Response.json({ error: "text is required" }, { status: 400 });
  try {
    const job = await speak(text);
    if (job.status !== "COMPLETED" || !job.output) {
      const error = job.error ?? `the job is ${job.status}`;
      return Response.json({ error, field: job.output?.field }, { status: job.output?.field ? 400 : 502 });
    }
    if (job.output.audio_url) return Response.redirect(job.output.audio_url, 302);
    const audio = Uint8Array.from(atob(job.output.audio_base64 ?? ""), (letter) => letter.charCodeAt(0));
    return new Response(audio, { headers: { "Content-Type": job.output.mimetype } });
  } catch (error) {
    return Response.json({ error: (error as Error).message }, { status: 503 });
  }
});
