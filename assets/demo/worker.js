// The demo's work, beside the page's own thread, so that typing never waits for the model: loads what the page names,
// cuts a text into tokens, asks the model. It answers each message with one, and reports on the way how far a load is.

import { WordPiece } from "./wordpiece.js";

let ort, session, tokenizer, catalogue;

const address = (name) => new URL(`${name}?sha256=${catalogue.files[name].sha256.slice(0, 16)}`, import.meta.url);

/** Return a file's bytes, which are those that the site was built with. `report` is told how many have come. */
async function fetchBytes(name, report, again) {
  const { size, sha256 } = catalogue.files[name];
  let answer;
  try {
    answer = await fetch(address(name), { cache: again ? "reload" : "default" });
  } catch {
    throw new Error(`${name} could not be fetched. Is the connection there?`);
  }
  if (!answer.ok) throw new Error(`${name} could not be fetched: the server answers ${answer.status}.`);
  const bytes = new Uint8Array(size);
  const damaged = new Error(`${name} came damaged: it is not the file that this page was made with.`);
  let length = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error(`The connection broke while ${name} was coming.`);
    });
    if (done) break;
    if (length + value.length > size) throw damaged;
    bytes.set(value, length);
    length += value.length;
    report(value.length);
  }
  if (length !== size) throw damaged;
  // A browser hashes for pages of https and of this machine only. Elsewhere the size must do.
  if (globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    if ([...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") !== sha256) throw damaged;
  }
  return bytes;
}

async function load(message) {
  catalogue = message.catalogue;
  let come = 0;
  const report = (bytes) => postMessage({ type: "progress", come: (come += bytes) });
  const names = ["vocab.txt", "ort.wasm", "model_weights_int8.onnx"];
  const [vocabulary, program, model] = await Promise.all(names.map((name) => fetchBytes(name, report, message.again)));
  postMessage({ type: "starting" });
  tokenizer = new WordPiece(new TextDecoder().decode(vocabulary));
  try {
    ort = await import(address("ort.js"));
  } catch {
    throw new Error("ort.js could not be fetched.");
  }
  ort.env.wasm.wasmBinary = program.buffer;
  ort.env.wasm.numThreads = 1; // more would take headers that a plain file server doesn't send
  session = await ort.InferenceSession.create(model);
  await classify({ text: "" }); // the first run is slower than the rest
}

async function classify({ text }) {
  const start = performance.now();
  const { pieces, ids, total } = tokenizer.encode(text, catalogue.maxLength);
  const tokenized = performance.now();
  const shape = [1, ids.length];
  const { logits } = await session.run({
    input_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new ort.Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
  });
  const done = performance.now();
  const highest = Math.max(...logits.data);
  const powers = Array.from(logits.data, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((one, other) => one + other);
  return {
    pieces,
    ids,
    total,
    scores: powers.map((power) => power / sum),
    milliseconds: { tokenizer: tokenized - start, model: done - tokenized },
  };
}

onmessage = async ({ data }) => {
  try {
    if (data.type === "load") {
      await load(data);
      postMessage({ type: "loaded" });
    } else postMessage({ type: "answer", text: data.text, ...(await classify(data)) });
  } catch (error) {
    postMessage({ type: "failed", reason: String(error?.message ?? error) });
  }
};
