import assert from "node:assert/strict";
import test from "node:test";
import { Client } from "../../../serving/explorer/page/engine/client.mjs";
import { fromBase64, fromHalves, readTensors } from "../../../serving/explorer/page/engine/weights.mjs";
import { multiply, pack } from "../../../serving/explorer/page/engine/gemm.mjs";
import { toLevels } from "../../../serving/explorer/page/engine/likelihoods.mjs";
import { prepare } from "../../../serving/explorer/page/engine/network.mjs";
import { fit, toPlane, toScreen, visible, zoom } from "../../../serving/explorer/page/logic/camera.mjs";
import { History } from "../../../serving/explorer/page/logic/history.mjs";
import { fromFragment, fromText, toFragment, toText } from "../../../serving/explorer/page/logic/link.mjs";
import { describeOwn, howUnusual } from "../../../serving/explorer/page/logic/own.mjs";
import { nearestPictures, shrink, toRgba } from "../../../serving/explorer/page/logic/pictures.mjs";
import { codeAt, nearest, planeOf, project } from "../../../serving/explorer/page/logic/plane.mjs";
import { along, average, dot, length, slerp } from "../../../serving/explorer/page/logic/vectors.mjs";
import { encodeGif, paletteOf } from "../../../serving/explorer/page/logic/gif.mjs";
import { readGif } from "./read_gif.mjs";

/** Numbers that look random and are always the same. */
function numbers(count, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: count }, () => ((state = (state * 48271) % 2147483647) / 2147483647) * 4 - 2);
}
const close = (a, b, error = 1e-5) => assert.ok(Math.abs(a - b) < error, `${a} is not ${b}`);

test("a matrix product of any size is the sum of products", () => {
  for (const [rows, inner, columns] of [[1, 1, 1], [3, 5, 2], [4, 4, 4], [9, 7, 13]]) {
    const [left, right, bias] = [numbers(rows * inner), numbers(inner * columns, 2), numbers(columns, 3)];
    const out = new Float32Array(rows * columns);
    multiply(left, rows, pack(right, inner, columns), bias, out);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      let sum = bias[j];
      for (let k = 0; k < inner; k++) sum += left[i * inner + k] * right[k * columns + j];
      close(out[i * columns + j], sum);
    }
  }
});

test("half precision: zeros, subnormal, ordinary and infinite numbers", () => {
  const bits = Uint16Array.from([0x0000, 0x8000, 0x0001, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x7c00]);
  const expected = [0, -0, 2 ** -24, 1, -2, 0.333251953125, 65504, Infinity];
  assert.deepEqual(Array.from(fromHalves(bits)), expected);
});

test("base64 gives the bytes back, with and without padding and line breaks", () => {
  for (const size of [0, 1, 2, 3, 100]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 89) % 256);
    const text = Buffer.from(bytes).toString("base64");
    assert.deepEqual(fromBase64(text), bytes);
    assert.deepEqual(fromBase64(text.replace(/(.{5})/g, "$1\n")), bytes);
  }
});

test("int8 tensors have a scale for each last index; other types are refused", () => {
  const bytes = new Uint8Array(4 + 8);
  bytes.set([1, 0xff, 2, 0x80]);
  bytes.set(new Uint8Array(Float32Array.from([0.5, 2]).buffer), 4);
  const [{ values }] = readTensors([{ shape: [2, 2], type: "int8", at: 0, scales: 4 }], bytes);
  assert.deepEqual(Array.from(values), [0.5, -2, 1, -256]);
  assert.throws(() => readTensors([{ shape: [1], type: "int3", at: 0 }], bytes), /unknown type: int3/);
});

test("levels are rounded to even, as TensorFlow rounds, and bounded", () => {
  const pixels = Float32Array.from([-1, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.5, 1, 7]);
  assert.deepEqual(Array.from(toLevels(pixels, new Uint8Array(8))), [0, 0, 0, 2, 2, 128, 255, 255]);
});

test("a layer that the page does not know is named", () => {
  const description = { inputs: [0], output: 1, shapes: [[1], [1]], layers: [{ op: "toString", inputs: [0], output: 1 }] };
  assert.throws(() => prepare(description, []), /does not know: toString/);
});

test("the walk along the sphere has the ends' lengths and equal angles", () => {
  const [a, b] = [Float32Array.from([3, 0, 0]), Float32Array.from([0, 1, 0])];
  assert.deepEqual(Array.from(slerp(a, b, 0)), [3, 0, 0]);
  close(length(slerp(a, b, 0.5)), 2);
  close(dot(slerp(a, b, 0.25), a) / 3 / length(slerp(a, b, 0.25)), Math.cos(Math.PI / 8));
  assert.deepEqual(Array.from(slerp(a, a.map((x) => -x), 0.5)), [0, 0, 0]); // opposite: a straight line
  assert.deepEqual(Array.from(slerp(new Float32Array(3), b, 0.5)), [0, 0.5, 0]);
});

test("a walk passes its codes, ends or comes back", () => {
  const codes = [0, 1, 2].map((i) => numbers(4, i + 1));
  codes.forEach((code, i) => along(codes, i, false).forEach((value, j) => close(value, code[j])));
  assert.deepEqual(along(codes, 9, false), along(codes, 2, false));
  along(codes, 3, true).forEach((value, j) => close(value, codes[0][j]));
  along(codes, 3.5, true).forEach((value, j) => close(value, along(codes, 0.5, true)[j]));
});

test("an average has the mean length of its codes", () => {
  const codes = [1, 2, 3, 4].map((seed) => numbers(20, seed));
  close(length(average(codes)), codes.reduce((sum, code) => sum + length(code), 0) / 4);
});

test("the plane is that of most spread, and its codes are at their own places", () => {
  const dim = 5;
  const codes = numbers(200 * dim).map((value, i) => value * [0.1, 5, 0.2, 2, 0.1][i % dim] + 1);
  const plane = planeOf(codes, dim);
  assert.ok(Math.abs(plane.axes[0][1]) > 0.99 && Math.abs(plane.axes[1][3]) > 0.99);
  close(dot(plane.axes[0], plane.axes[1]), 0, 1e-4);
  close(length(plane.axes[0]), 1);
  assert.ok(plane.share > 0.98 && plane.share <= 1);
  const points = project(codes, dim, plane);
  for (const [x, y] of [[0, 0], [1.5, -2], [points[10], points[11]]]) {
    const code = codeAt(x, y, plane, codes, points, dim);
    const [px, py] = project(code, dim, plane);
    close(px, x, 1e-3);
    close(py, y, 1e-3);
  }
});

test("codes of two dimensions and of one are their own plane", () => {
  const codes = numbers(20);
  const plane = planeOf(codes, 2);
  assert.deepEqual(project(codes, 2, plane), codes);
  assert.deepEqual(Array.from(codeAt(0.5, -1, plane, codes, codes, 2)), [0.5, -1]);
  assert.deepEqual(Array.from(codeAt(0.5, -1, planeOf(codes, 1), codes, project(codes, 1, planeOf(codes, 1)), 1)), [0.5]);
});

test("the nearest points are the nearest, in order", () => {
  const points = numbers(200);
  const found = nearest(points, 0.3, 0.1, 7);
  const all = Array.from({ length: 100 }, (_, i) => Math.hypot(points[2 * i] - 0.3, points[2 * i + 1] - 0.1)).sort((a, b) => a - b);
  assert.deepEqual(found.map((one) => one.distance), all.slice(0, 7));
});

test("the camera shows all points, and zooms about the pointer", () => {
  const points = numbers(400);
  const camera = fit(points, 600, 400);
  for (let i = 0; i < 200; i++) {
    const [x, y] = toScreen(camera, 600, 400, points[2 * i], points[2 * i + 1]);
    assert.ok(x > -30 && x < 630 && y > -30 && y < 430);
  }
  const before = toPlane(camera, 600, 400, 100, 50);
  const nearer = zoom(camera, 600, 400, 100, 50, 3, 0, Infinity);
  toPlane(nearer, 600, 400, 100, 50).forEach((value, i) => close(value, before[i]));
  close(nearer.scale, 3 * camera.scale, 1e-3);
  assert.equal(zoom(camera, 600, 400, 0, 0, 100, 1, 5).scale, 5);
});

test("thumbnails are at most one in a square, and panning does not change the choice", () => {
  const points = numbers(2000);
  const camera = fit(points, 800, 600);
  const { chosen, size } = visible(points, camera, 800, 600, 40, () => true);
  assert.ok(size >= 28 && size <= 57);
  assert.ok(chosen.length > 40 && chosen.length < 400);
  const panned = new Set(visible(points, { ...camera, x: camera.x + 0.3 }, 800, 600, 40, () => true).chosen);
  const both = chosen.filter((i) => points[2 * i] > camera.x - 1);
  assert.ok(both.every((i) => panned.has(i)));
  assert.deepEqual(visible(points, camera, 800, 600, 40, () => false).chosen, []);
});

test("undo and redo, and that a new state forgets what was undone", () => {
  const history = new History(3);
  for (const state of [1, 2, 3, 4]) history.push(state);
  assert.equal(history.undo(), 3);
  assert.equal(history.redo(), 4);
  history.undo();
  history.push(9);
  assert.equal(history.canRedo, false);
  assert.deepEqual([history.undo(), history.undo(), history.undo()], [3, 2, 2]);
});

test("a link gives the state back; a foreign or damaged one gives none", () => {
  for (const size of [0, 1, 2, 3, 7]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 91 + 200) % 256);
    assert.deepEqual(fromText(toText(bytes)), bytes);
  }
  const state = { code: numbers(5), label: 1, kept: [{ code: numbers(5, 2), label: -1 }], seed: "123456789012345678", temperature: 0.7 };
  assert.deepEqual(fromFragment(toFragment(state), 5, 2), state);
  const fragment = toFragment(state);
  for (const [text, dim, labels] of [[fragment, 4, 2], [fragment, 5, 1], ["", 5, 2], ["#generated", 5, 2], [`${fragment}!`, 5, 2], [fragment.slice(0, -4), 5, 2]]) {
    assert.equal(fromFragment(text, dim, labels), null);
  }
  const infinite = toFragment({ ...state, code: Float32Array.from([1, 2, Infinity, 4, 5]) });
  assert.equal(fromFragment(infinite, 5, 2), null);
});

test("pictures are enlarged, shrunk and found", () => {
  assert.deepEqual(Array.from(toRgba(Uint8Array.from([9, 200]), [1, 2, 1], 2)).filter((_, i) => i % 4 === 0), [9, 9, 200, 200, 9, 9, 200, 200]);
  assert.deepEqual(Array.from(toRgba(Uint8Array.from([1, 2, 3]), [1, 1, 3])), [1, 2, 3, 255]);
  assert.deepEqual(Array.from(shrink(Uint8Array.from([0, 4, 8, 12]), [2, 2, 1], [1, 1])), [6]);
  assert.deepEqual(Array.from(shrink(Uint8Array.from([0, 4, 8, 12]), [2, 2, 1], [2, 2])), [0, 4, 8, 12]);
  const all = Uint8Array.from({ length: 40 }, (_, i) => (i * 53) % 256);
  const found = nearestPictures(all, Float32Array.from(all.subarray(12, 16)), 3);
  assert.deepEqual([found[0].index, found[0].distance], [3, 0]);
  assert.ok(found[1].distance <= found[2].distance);
});

test("a GIF holds the frames: gray ones exactly, many colors nearly", () => {
  const gray = [0, 1, 2].map((frame) => toRgba(Uint8Array.from({ length: 30 * 20 }, (_, i) => (i * 7 + 31 * frame * i) % 256), [20, 30, 1]));
  const file = readGif(encodeGif(gray, 30, 20, 7));
  assert.deepEqual([file.width, file.height, file.delay, file.frames.length], [30, 20, 7, 3]);
  gray.forEach((frame, i) => assert.deepEqual(file.frames[i], frame.filter((_, at) => at % 4 !== 3)));
  const colors = [toRgba(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 37 + (i >> 5)) % 256), [64, 64, 3])];
  assert.equal(paletteOf(colors).length, 256);
  const read = readGif(encodeGif(colors, 64, 64, 7)).frames[0];
  const error = read.reduce((sum, value, i) => sum + Math.abs(value - colors[0][Math.floor(i / 3) * 4 + (i % 3)]), 0) / read.length;
  assert.ok(error < 20, `${error} levels`);
});

test("a long GIF outgrows the table of codes", () => {
  const noise = [toRgba(Uint8Array.from({ length: 200 * 200 }, (_, i) => ((i * i) >>> 3) % 251), [200, 200, 1])];
  assert.deepEqual(readGif(encodeGif(noise, 200, 200, 7)).frames[0], noise[0].filter((_, at) => at % 4 !== 3));
});

test("of requests on a channel only the latest is answered; errors reach the one who asked", async () => {
  const asked = [];
  const worker = { postMessage: (message) => asked.push(message) };
  const client = new Client(worker);
  const answers = ["a", "b", "c"].map((request) => client.latest("stage", "decode", request));
  assert.deepEqual(asked.map(({ request }) => request), ["a"]);
  worker.onmessage({ data: { id: asked[0].id, answer: "A" } });
  assert.equal(await answers[0], "A");
  assert.equal(await answers[1], null);
  assert.deepEqual(asked.map(({ request }) => request), ["a", "c"]);
  worker.onmessage({ data: { id: asked[1].id, error: "too large" } });
  await assert.rejects(answers[2], /too large/);
});

test("a picture of one's own is described in words", () => {
  const found = { elbo: -20.456, reconstruction_term: 18, kl: 2.456, unusual: 0.974, label: null };
  assert.deepEqual(describeOwn(found), [
    ["Score (ELBO)", "-20.46 nats"],
    ["Reconstruction term", "18.00 nats"],
    ["KL divergence", "2.46 nats"],
    ["How unusual", "unusual: 97 % of held-out pictures score higher"],
  ]);
  assert.deepEqual(describeOwn({ ...found, label: "<b>" })[0], ["Label that the model finds", "<b>"]);
  assert.match(howUnusual(1), /every held-out picture/);
  assert.match(howUnusual(0.3), /^usual: 30 %/);
  assert.match(howUnusual(null), /not recorded/);
});
