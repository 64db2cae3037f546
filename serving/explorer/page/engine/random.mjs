// TensorFlow's stateless random numbers: Philox 4x32 with ten rounds (Salmon et al. 2011), keyed as TensorFlow does.
// So a seed gives the same pictures here as `darkroom generate`.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Return the upper 32 bits of the product of two 32-bit integers. */
function high(a, b) {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (middle % 65536);
  return (a1 * b1 + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

function philox(counter, key) {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const h0 = high(M0, c0), l0 = Math.imul(M0, c0) >>> 0;
    const h1 = high(M1, c2), l1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A stream of 32-bit integers that a seed determines, four at a time. */
export class Stream {
  /** @param {bigint|number} seed 0 to 2^63 - 1 @param {number} purpose the second number of the seed, from 0 */
  constructor(seed, purpose) {
    const whole = BigInt(seed);
    const mixed = philox([Number(whole & 0xffffffffn), Number((whole >> 32n) & 0xffffffffn), purpose, 0], [0x3ec8f720, 0x02461e29]);
    this.key = [mixed[0], mixed[1]];
    this.counter = [0, 0, mixed[2], mixed[3]];
  }

  next() {
    const four = philox(this.counter, this.key);
    for (let i = 0; i < 4; i++) {
      this.counter[i] = (this.counter[i] + 1) >>> 0;
      if (this.counter[i] !== 0) break;
    }
    return four;
  }
}

const uniform = (bits) => Math.fround((bits & 0x7fffff) / 0x800000); // 23 bits: a float in [1, 2) less 1

/** `tf.random.stateless_normal([count], [seed, purpose])`: Box-Muller on pairs. */
export function normals(count, seed, purpose) {
  const stream = new Stream(seed, purpose);
  const out = new Float32Array(count);
  for (let at = 0; at < count; at += 4) {
    const four = stream.next();
    for (let i = 0; i < 4; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(Math.max(uniform(four[i]), Math.fround(1e-7))));
      const angle = 2 * Math.PI * uniform(four[i + 1]);
      if (at + i < count) out[at + i] = Math.sin(angle) * radius;
      if (at + i + 1 < count) out[at + i + 1] = Math.cos(angle) * radius;
    }
  }
  return out;
}

/** `tf.random.stateless_uniform([count], [seed, purpose])` in [0, 1). */
export function uniforms(count, seed, purpose) {
  return Float32Array.from(integers(count, seed, purpose), uniform);
}

/** `tf.random.stateless_uniform([count], [seed, purpose], maxval=limit, dtype=tf.int32)`. */
export function below(limit, count, seed, purpose) {
  return Array.from(integers(count, seed, purpose), (bits) => bits % limit);
}

function integers(count, seed, purpose) {
  const stream = new Stream(seed, purpose);
  const out = new Uint32Array(Math.ceil(count / 4) * 4);
  for (let at = 0; at < count; at += 4) out.set(stream.next(), at);
  return out.subarray(0, count);
}

/** `tf.random.stateless_categorical(log(weights), count, [seed, purpose])`: by the inverse of the distribution function. */
export function categories(weights, count, seed, purpose) {
  const ends = [];
  let total = 0;
  const largest = Math.max(...weights);
  for (const weight of weights) ends.push((total += weight / largest));
  const stream = new Stream(seed, purpose);
  const chosen = [];
  let held = [];
  while (chosen.length < count) {
    if (!held.length) held = stream.next();
    const [first, second] = held.splice(0, 2);
    const fraction = (first & 0xfffff) * 2 ** 32 + second; // 52 bits
    const wanted = (fraction / 2 ** 52) * total;
    const index = ends.findIndex((end) => end > wanted);
    chosen.push(index < 0 ? weights.length - 1 : index);
  }
  return chosen;
}
