// The plane of the map: principal axes of codes, where each code lies on it, and which code lies at a place.

import { dot, length } from "./vectors.mjs";

const ROUNDS = 60; // of the power iteration
const NEIGHBORS = 5;

/**
 * Find the plane of most spread.
 * @param {Float32Array} codes [n, dim]
 * @returns {{center: Float32Array, axes: Float32Array[], share: number}} orthonormal axes, and the share of the variance they hold.
 *   Two dimensions or one are shown as they are.
 */
export function planeOf(codes, dim) {
  const n = codes.length / dim;
  const unit = (index) => Float32Array.from({ length: dim }, (_, i) => (i === index ? 1 : 0));
  const center = new Float32Array(dim);
  if (dim <= 2 || n < 3) return { center, axes: [unit(0), unit(Math.min(1, dim - 1))], share: dim <= 2 ? 1 : 0 };
  for (let i = 0; i < codes.length; i++) center[i % dim] += codes[i] / n;
  const centered = codes.map((value, i) => value - center[i % dim]);
  const total = dot(centered, centered) / n;
  const axes = [];
  let held = 0;
  for (let which = 0; which < 2; which++) {
    const { axis, variance } = strongest(centered, n, dim, axes);
    axes.push(axis);
    held += variance;
  }
  return { center, axes, share: total > 0 ? held / total : 0 };
}

/** Power iteration for the direction of most variance that is orthogonal to `others`. */
function strongest(centered, n, dim, others) {
  let axis = Float32Array.from({ length: dim }, (_, i) => Math.sin(1 + i * 1.7 + others.length)); // any start will do
  let variance = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(dim);
    for (let row = 0; row < n; row++) {
      let along = 0;
      for (let i = 0, at = row * dim; i < dim; i++) along += centered[at + i] * axis[i];
      for (let i = 0, at = row * dim; i < dim; i++) next[i] += (along * centered[at + i]) / n;
    }
    for (const other of others) {
      const part = dot(other, next);
      for (let i = 0; i < dim; i++) next[i] -= part * other[i];
    }
    variance = length(next);
    if (variance === 0) break;
    axis = Float32Array.from(next, (value) => value / variance);
  }
  const largest = axis.reduce((best, value, i) => (Math.abs(value) > Math.abs(axis[best]) ? i : best), 0);
  return { axis: axis[largest] < 0 ? axis.map((value) => -value) : axis, variance }; // the sign is arbitrary: fix it
}

/** Return where codes lie on the plane: Float32Array [n, 2]. */
export function project(codes, dim, { center, axes }) {
  const n = codes.length / dim;
  const out = new Float32Array(2 * n);
  for (let row = 0; row < n; row++) {
    for (let axis = 0; axis < 2; axis++) {
      let sum = 0;
      for (let i = 0, at = row * dim; i < dim; i++) sum += (codes[at + i] - center[i]) * axes[axis][i];
      out[2 * row + axis] = dim === 1 && axis === 1 ? ((row * 0.618034) % 1) * 2 - 1 : sum;
    }
  }
  return out;
}

/**
 * Return the code at a place of the plane. What the plane does not show is taken from the points around: a weighted mean of what
 * they have beside the plane, at its usual length, because a plain mean lies where no picture does.
 */
export function codeAt(x, y, plane, codes, points, dim) {
  const place = (i) => plane.center[i] + x * plane.axes[0][i] + (dim > 1 ? y * plane.axes[1][i] : 0);
  const code = Float32Array.from({ length: dim }, (_, i) => place(i));
  const n = points.length / 2;
  if (dim <= 2 || n < 3) return code;
  const near = nearest(points, x, y, NEIGHBORS);
  const reach = Math.max(near[near.length - 1].distance, 1e-6);
  const beside = new Float32Array(dim);
  let total = 0;
  let usual = 0;
  for (const { index, distance } of near) {
    const share = distance / reach; // the farthest of them counts for nothing, so that none comes or goes with a jump
    const weight = Math.max(1e-6, ((1 - share) / Math.max(share, 1e-3)) ** 2); // the nearest counts most: a mean of several is blurred
    const own = Float32Array.from({ length: dim }, (_, i) => residual(codes, index, i, plane, points, dim));
    for (let i = 0; i < dim; i++) beside[i] += weight * own[i];
    usual += weight * length(own);
    total += weight;
  }
  const size = length(beside);
  if (size > 0) for (let i = 0; i < dim; i++) code[i] += (beside[i] / size) * (usual / total);
  return code;
}

function residual(codes, index, i, { center, axes }, points, dim) {
  return codes[index * dim + i] - center[i] - points[2 * index] * axes[0][i] - points[2 * index + 1] * axes[1][i];
}

/** Return the points nearest to a place, nearest first: {index, distance}. */
export function nearest(points, x, y, count) {
  const found = [];
  for (let index = 0; 2 * index < points.length; index++) {
    const distance = Math.hypot(points[2 * index] - x, points[2 * index + 1] - y);
    if (found.length === count && distance >= found[count - 1].distance) continue;
    let at = found.length;
    while (at > 0 && found[at - 1].distance > distance) at--;
    found.splice(at, 0, { index, distance });
    if (found.length > count) found.pop();
  }
  return found;
}
