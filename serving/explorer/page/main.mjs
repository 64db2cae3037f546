// The entry: the same script starts the page, and in a worker the decoder.

import { Client } from "./engine/client.mjs";
import { fromBase64, fromHalves } from "./engine/weights.mjs";
import { serve } from "./engine/worker.mjs";
import { toRgba } from "./logic/pictures.mjs";
import { planeOf, project } from "./logic/plane.mjs";
import { App } from "./view/app.mjs";
import { loadSheet, sheetOf } from "./view/sheets.mjs";

const DRAWN = 240; // codes of a map without pictures
const DRAWN_SLOW = 32;

/** Start the decoder in a worker made of this very script. Where a browser allows none, it runs beside the page. */
function startDecoder() {
  try {
    const source = document.getElementById("program").textContent;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return new Client(new Worker(url));
  } catch {
    const [page, decoder] = [{}, {}];
    page.postMessage = (data) => setTimeout(() => decoder.onmessage({ data }));
    decoder.postMessage = (data) => setTimeout(() => page.onmessage({ data }));
    serve(decoder);
    return new Client(page);
  }
}

/** Return the codes of the map: of held-out pictures if the page has them, else of pictures that the model draws. */
async function makeAtlas(data, model, client) {
  let { activity } = data;
  let found;
  if (data.held_out) {
    const { codes, labels, sheet, names, model_labels: modelLabels } = data.held_out;
    const halves = fromHalves(new Uint16Array(fromBase64(codes).slice().buffer));
    found = { codes: halves, labels, names, modelLabels, thumbnails: await loadSheet(sheet), held: true };
  } else found = await drawAtlas(model, client);
  activity ??= spreads(found.codes, model.dim);
  const plane = planeOf(found.codes, model.dim);
  return { ...found, activity, plane, points: project(found.codes, model.dim, plane) };
}

async function drawAtlas(model, client) {
  const count = model.slow ? DRAWN_SLOW : DRAWN;
  const codes = new Float32Array(count * model.dim);
  const labels = [];
  const levels = new Uint8Array(count * model.shape[0] * model.shape[1] * model.shape[2]);
  for (let first = 0; first < count; ) {
    const part = await client.ask("draw", { count, seed: "1", temperature: 1, label: "", first });
    codes.set(part.codes, first * model.dim);
    levels.set(part.pictures, (first * levels.length) / count);
    labels.push(...(part.labels ?? new Array(part.last - first).fill(-1)));
    first = part.last;
  }
  return { codes, labels, names: model.labels, modelLabels: labels, thumbnails: sheetOf(levels, model.shape, count, toRgba), held: false };
}

/** Return the variance of each dimension. */
function spreads(codes, dim) {
  const n = codes.length / dim;
  return Array.from({ length: dim }, (_, j) => {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      sum += codes[i * dim + j] / n;
      squares += codes[i * dim + j] ** 2 / n;
    }
    return squares - sum ** 2;
  });
}

async function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { program } = data;
  document.getElementById("lead").textContent = data.lead;
  document.getElementById("theme").addEventListener("click", () => {
    const light = matchMedia("(prefers-color-scheme: light)").matches;
    const now = document.documentElement.dataset.theme ?? (light ? "light" : "dark");
    document.documentElement.dataset.theme = now === "light" ? "dark" : "light";
    app?.map.request();
  });
  let app = null;
  try {
    const client = startDecoder();
    await client.ask("load", { program, weights: document.getElementById("weights").textContent });
    const model = { dim: program.latent_dim, shape: program.image_shape, labels: program.labels, sampled: program.sampled, slow: program.density.kind === "flow" };
    const atlas = await makeAtlas(data, model, client);
    const training = data.training && { ...data.training.sheet, total: data.training.total, ...(await trainingPictures(data.training.sheet, model)) };
    const beside = data.beside ? await loadBeside(data.beside) : null;
    app = new App(model, atlas, client, training, { api: data.api, beside });
    app.mount(document.getElementById("page"));
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    document.getElementById("page").textContent = `The decoder cannot run in this browser: ${error.message}`;
  }
}

/** Start a second decoder, of another version. */
async function loadBeside({ name, program, weights }) {
  const client = startDecoder();
  await client.ask("load", { program, weights });
  return { name, client };
}

async function trainingPictures(sheet, model) {
  const { draw, levels } = await loadSheet(sheet);
  return { draw, levels: levels(model.shape[2]) };
}

if (typeof document === "undefined") serve(self);
else start();
