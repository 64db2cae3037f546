// The density of codes that `darkroom generate` draws from: see `trainer.priors` and `trainer.flow`.

import { prepare } from "./network.mjs";
import { below, categories, uniforms } from "./random.mjs";

const PURPOSE = 1; // the second number of the seed that chooses components

/**
 * Return a density: `draw({noise [n, d], shares [n, labels] or null, n, seed, first, last})` -> codes [last - first, d]. It is `slow`
 * if a code takes much longer than its picture.
 * @param {object} density from the program: `kind` and its parameters
 * @param {{shape: number[], values: Float32Array}[]} tensors
 * @param {number} dim dimensions of a code
 * @param {number} labels number of labels, 0 for a model that is not conditional
 */
export function densityOf(density, tensors, dim, labels) {
  const part = Object.fromEntries(
    Object.entries(density).map(([name, value]) => [name, value && value.tensor !== undefined ? tensors[value.tensor] : value]),
  );
  const kinds = { normal: () => ({ noise, first, last }) => noise.slice(first * dim, last * dim), posteriors, mixture, flow };
  if (!Object.hasOwn(kinds, density.kind)) throw new Error(`the model has a density that this page does not know: ${density.kind}`);
  const draw = kinds[density.kind](part, dim, labels, tensors);
  return { draw, slow: density.kind === "flow" };
}

/** A VampPrior: codes of the upper level are drawn from posteriors of pseudo-inputs. The others are the noise. */
function posteriors({ means, log_variances: logVariances, by_label: byLabel }, dim, labels) {
  const [components, top] = means.shape;
  const usual = new Float32Array(components).fill(1 / components);
  return ({ noise, shares, n, seed, first, last }) => {
    const codes = Float32Array.from(noise);
    const chosen = shares ? choose(shares, byLabel.values, usual, labels, n, seed) : below(components, n, seed, PURPOSE);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < top; j++) {
        const from = chosen[i] * top + j;
        codes[i * dim + j] = means.values[from] + Math.exp(0.5 * logVariances.values[from]) * noise[i * dim + j];
      }
    }
    return codes.slice(first * dim, last * dim);
  };
}

/** A Gaussian mixture with full covariances. */
function mixture({ weights, means, factors, by_label: byLabel }, dim, labels) {
  const total = weights.values.reduce((sum, weight) => sum + weight, 0);
  const usual = weights.values.map((weight) => weight / total);
  return ({ noise, shares, n, seed, first, last }) => {
    const codes = new Float32Array((last - first) * dim);
    const known = shares && byLabel;
    const chosen = known ? choose(shares, byLabel.values, usual, labels, n, seed) : categories(weights.values, n, seed, PURPOSE);
    for (let i = first; i < last; i++) {
      const factor = chosen[i] * dim * dim;
      for (let j = 0; j < dim; j++) {
        let value = means.values[chosen[i] * dim + j];
        for (let k = 0; k <= j; k++) value += factors.values[factor + j * dim + k] * noise[i * dim + k];
        codes[(i - first) * dim + j] = value;
      }
    }
    return codes;
  };
}

/** A flow: its velocity carries noise to codes, in steps of Heun's method. */
function flow({ mean, deviation, steps, network }, dim, labels, tensors) {
  const run = prepare(network, tensors);
  const velocity = (u, n, t, shares) => {
    const inputs = [u, new Float32Array(n).fill(t)];
    if (labels) inputs.push(shares ?? new Float32Array(n * labels));
    const learned = run(inputs, n);
    const factor = (2 * t - 1) / (t * t + (1 - t) * (1 - t));
    return u.map((value, i) => factor * value + learned[i]);
  };
  return ({ noise, shares, first, last }) => {
    const n = last - first;
    const own = shares && shares.slice(first * labels, last * labels);
    let u = noise.slice(first * dim, last * dim);
    for (let step = 0; step < steps; step++) {
      const before = velocity(u, n, step / steps, own);
      const ahead = u.map((value, i) => value + before[i] / steps);
      const after = velocity(ahead, n, (step + 1) / steps, own);
      u = u.map((value, i) => value + (before[i] + after[i]) / (2 * steps));
    }
    return u.map((value, i) => mean.values[i % dim] + deviation.values[i % dim] * value);
  };
}

/** Choose a component for each code, by the weights of its labels. Shares that are missing get the usual weights. */
function choose(shares, byLabel, usual, labels, n, seed) {
  const components = usual.length;
  const levels = uniforms(n, seed, PURPOSE);
  const chosen = [];
  for (let i = 0; i < n; i++) {
    const own = shares.subarray(i * labels, (i + 1) * labels);
    const missing = Math.max(0, 1 - own.reduce((sum, share) => sum + share, 0));
    let sum = 0;
    let index = 0;
    for (let k = 0; k < components; k++) {
      let weight = missing * usual[k];
      for (let label = 0; label < labels; label++) if (own[label]) weight += own[label] * byLabel[label * components + k];
      sum = Math.fround(sum + weight);
      if (sum <= levels[i]) index++;
    }
    chosen.push(Math.min(index, components - 1));
  }
  return chosen;
}
