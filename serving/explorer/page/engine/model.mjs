// A decoder that runs in the browser: codes to pictures, as the SavedModel's `serving_default`, and new codes, as `generate`.

import { densityOf } from "./density.mjs";
import { pixelsOf, toLevels } from "./likelihoods.mjs";
import { prepare } from "./network.mjs";
import { categories, normals } from "./random.mjs";
import { readTensors } from "./weights.mjs";

export class Model {
  /**
   * @param {object} program what `trainer.program.write_program` wrote
   * @param {Uint8Array} bytes its weights
   */
  constructor(program, bytes) {
    const tensors = readTensors(program.tensors, bytes);
    this.dim = program.latent_dim;
    this.shape = program.image_shape; // height, width, channels
    this.labels = program.labels; // names; empty for a model that is not conditional
    this.labelShares = program.label_shares;
    this.units = program.label_units && {
      mean: tensors[program.label_units.mean.tensor],
      logScale: tensors[program.label_units.log_scale.tensor],
    };
    this.network = prepare(program.decoder, tensors);
    this.pixels = pixelsOf(program.pixels, this.shape[2]);
    this.density = densityOf(program.density, tensors, this.dim, this.labels.length);
  }

  /**
   * Decode codes.
   * @param {Float32Array} codes [n, dim]
   * @param {Float32Array|null} shares of each label, [n, labels], for a conditional model. None of any label, if null.
   * @returns {Uint8Array} pictures [n, height, width, channels]
   */
  decode(codes, shares = null) {
    const n = codes.length / this.dim;
    const inputs = [codes];
    if (this.labels.length) {
      const given = shares ?? new Float32Array(n * this.labels.length);
      inputs[0] = this.units ? this.fromUnits(codes, given, n) : codes;
      inputs.push(given);
    }
    const pixels = this.pixels(this.network(inputs, n));
    return toLevels(pixels, new Uint8Array(pixels.length));
  }

  /**
   * Draw new codes from the density. Fewer than 64 are the first that `darkroom generate` draws with this seed.
   * @param {{count: number, seed: bigint|number, temperature: number, label?: string, first?: number, last?: number}} request
   *   no label: as frequent as in training. Only the codes from `first` to `last` are computed.
   * @returns {{codes: Float32Array, labels: number[]|null}}
   */
  draw({ count, seed, temperature, label = "", first = 0, last = count }) {
    const noise = normals(count * this.dim, seed, 0).map((value) => Math.fround(temperature) * value);
    const labels = this.labels.length ? this.choose(label, count, seed) : null;
    const shares = labels && this.sharesOf(labels);
    const codes = this.density.draw({ noise, shares, n: count, seed, first, last });
    return { codes, labels: labels && labels.slice(first, last) };
  }

  /** Return the indices of the labels of new pictures. */
  choose(label, count, seed) {
    if (!label) return categories(this.labelShares, count, seed, 2);
    return new Array(count).fill(this.labels.indexOf(label));
  }

  /** Return labels, indices or -1 for none, as shares: [n, labels]. */
  sharesOf(indices) {
    const shares = new Float32Array(indices.length * this.labels.length);
    indices.forEach((label, i) => {
      if (label >= 0) shares[i * this.labels.length + label] = 1;
    });
    return shares;
  }

  /** Convert codes from units of their labels' priors; see `trainer.priors.LabelUnits`. */
  fromUnits(codes, shares, n) {
    const { mean, logScale } = this.units;
    const top = mean.shape[1];
    const out = Float32Array.from(codes);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < top; j++) {
        let shift = 0;
        let scale = 0;
        for (let label = 0; label < this.labels.length; label++) {
          const share = shares[i * this.labels.length + label];
          if (!share) continue;
          shift += share * mean.values[label * top + j];
          scale += share * logScale.values[label * top + j];
        }
        out[i * this.dim + j] = shift + Math.exp(scale) * codes[i * this.dim + j];
      }
    }
    return out;
  }
}
