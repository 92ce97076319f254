// The current order as a command or a program that generates the same speech. Pure.

import { dialogueBody, requests, usesOnce } from "./order.js";

export const KINDS = ["curl", "python", "openai"];
const FILE = "reference.wav";
const SLOT = "\u0001"; // stands for the recording in base64 until it is replaced by the language's expression

/** `site`: {base, hasKey}. */
export function snippet(kind, order, site) {
  const body = bodyOf(order);
  const path = order.mode === "text" ? "/v1/audio/speech" : "/dialogue";
  if (kind === "curl") return curl(body, path, order, site);
  return kind === "python" ? python(body, path, order, site) : openai(body, order, site);
}

/** Whether the kind of code can express the order: OpenAI's API has no dialogue. */
export const canExpress = (kind, order) => kind !== "openai" || order.mode === "text";

function bodyOf(order) {
  if (order.mode === "dialogue") return { ...dialogueBody(order, SLOT), format: "mp3" };
  return { ...requests(order, SLOT)[0].fields, response_format: "mp3" };
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl(body, path, order, { base, hasKey }) {
  const json = JSON.stringify(body, null, 2);
  const lines = [`curl --fail-with-body ${quoted(base + path)} \\`, "  -H 'Content-Type: application/json' \\"];
  if (hasKey) lines.push('  -H "Authorization: Bearer $CHATTERBOX_API_KEY" \\');
  if (!usesOnce(order)) return [...lines, `  -d ${quoted(json)} \\`, "  -o speech.mp3"].join("\n");
  const parts = json.split(JSON.stringify(SLOT).slice(1, -1)).map((part) => `printf %s ${quoted(part)}`);
  const sent = parts.join(`; base64 < ${FILE} | tr -d '\\n'; `);
  return [`{ ${sent}; } |`, ...lines, "  --data-binary @- \\", "  -o speech.mp3"].join("\n");
}

function python(body, path, order, { base, hasKey }) {
  const key = hasKey ? ', headers={"Authorization": f"Bearer {os.environ[\'CHATTERBOX_API_KEY\']}"}' : "";
  return [
    ...imports(order, hasKey, "requests"),
    ...recording(order),
    `body = ${literal(body)}`,
    `answer = requests.post("${base}${path}", json=body${key}, timeout=600)`,
    "answer.raise_for_status()",
    'with open("speech.mp3", "wb") as file:',
    "    file.write(answer.content)",
  ].join("\n");
}

function openai(body, order, { base, hasKey }) {
  const { model, input, voice, response_format, speed, ...ours } = body;
  const key = hasKey ? 'os.environ["CHATTERBOX_API_KEY"]' : '"none"';
  // the client requires a voice; with a recording the server accepts none
  const own = voice === undefined ? "openai.omit" : literal(voice);
  return [
    ...imports(order, hasKey, voice === undefined ? "openai\nfrom openai import OpenAI" : "OpenAI"),
    ...recording(order),
    `client = OpenAI(base_url="${base}/v1", api_key=${key})`,
    "with client.audio.speech.with_streaming_response.create(",
    `    model=${literal(model)},`,
    `    voice=${own},`,
    `    input=${literal(input)},`,
    `    response_format=${literal(response_format)},`,
    ...(speed === undefined ? [] : [`    speed=${speed},`]),
    `    extra_body=${literal(ours, 1)},`,
    ") as answer:",
    '    answer.stream_to_file("speech.mp3")',
  ].join("\n");
}

function imports(order, hasKey, library) {
  const standard = [...(usesOnce(order) ? ["import base64"] : []), ...(hasKey ? ["import os"] : [])];
  const outer = library === "OpenAI" ? "from openai import OpenAI" : `import ${library}`;
  return [...standard, ...(standard.length ? [""] : []), outer, ""];
}

const recording = (order) =>
  usesOnce(order) ? [`with open("${FILE}", "rb") as file:`, "    reference = base64.b64encode(file.read()).decode()"] : [];

/** A Python expression. */
function literal(value, depth = 0) {
  if (value === SLOT) return "reference";
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = "    ".repeat(depth + 1);
  const rows = Array.isArray(value)
    ? value.map((item) => `${inner}${literal(item, depth + 1)},\n`)
    : Object.entries(value).map(([name, item]) => `${inner}${JSON.stringify(name)}: ${literal(item, depth + 1)},\n`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return rows.length ? `${open}\n${rows.join("")}${"    ".repeat(depth)}${close}` : `${open}${close}`;
}
