// Runs calls of @huggingface/hub one after another, and prints their outcomes as JSON in the
// last line.
// The environment has HUB_URL, TOKEN (may be empty) and CALLS: [[name, parameters], …].
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import * as hub from "@huggingface/hub";

const { HUB_URL: hubUrl, TOKEN: accessToken } = process.env;

// JSON holds no bytes: files to send have them in base64.
function withBlobs(parameters) {
  const blob = ({ path, base64 }) => ({ path, content: new Blob([Buffer.from(base64, "base64")]) });
  return parameters.files ? { ...parameters, files: parameters.files.map(blob) } : parameters;
}

async function outcome(name, parameters) {
  const result = hub[name]({ hubUrl, ...(accessToken && { accessToken }), ...withBlobs(parameters) });
  if (name === "listFiles") {
    const entries = [];
    for await (const entry of result) {
      entries.push(entry);
    }
    return entries;
  }
  const value = await result;
  if (value instanceof Blob) {
    const bytes = new Uint8Array(await value.arrayBuffer());
    return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  return name === "snapshotDownload" ? (await readdir(value, { recursive: true })).sort() : value;
}

const outcomes = [];
for (const [name, parameters] of JSON.parse(process.env.CALLS)) {
  try {
    outcomes.push({ value: (await outcome(name, parameters)) ?? null });
  } catch (error) {
    outcomes.push({ error: error.message, status: error.statusCode ?? null });
  }
}
console.log(`\n${JSON.stringify(outcomes)}`);
