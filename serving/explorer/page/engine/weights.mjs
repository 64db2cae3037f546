// Weights of a program: from base64 to typed arrays.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Decode base64 text to bytes. White space is ignored. */
export function fromBase64(text) {
  const values = new Uint8Array(128);
  for (let i = 0; i < LETTERS.length; i++) values[LETTERS.charCodeAt(i)] = i;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let length = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 32) continue;
    if (code === 61) break; // "="
    held = (held << 6) | values[code];
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (held >> bits) & 255;
    }
  }
  return bytes.subarray(0, length);
}

/** Convert IEEE 754 half-precision bits to numbers. */
export function fromHalves(halves) {
  const table = halfTable();
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]];
  return out;
}

let table = null;

function halfTable() {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/**
 * Return the tensors of a program as Float32Arrays, each with its shape.
 * @param {{shape: number[], type: string, at: number, scales?: number}[]} entries the program's table of tensors
 * @param {Uint8Array} bytes little endian; int8 tensors are followed, at `scales`, by a float32 scale for each last index
 */
export function readTensors(entries, bytes) {
  return entries.map(({ shape, type, at, scales }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const part = (from, length) => bytes.slice(from, from + length).buffer; // a copy is aligned
    if (type === "float16") return { shape, values: fromHalves(new Uint16Array(part(at, 2 * size))) };
    if (type === "float32") return { shape, values: new Float32Array(part(at, 4 * size)) };
    if (type === "int8") {
      const last = shape[shape.length - 1];
      const steps = new Float32Array(part(scales, 4 * last));
      const levels = new Int8Array(part(at, size));
      const values = new Float32Array(size);
      for (let i = 0; i < size; i++) values[i] = levels[i] * steps[i % last];
      return { shape, values };
    }
    throw new Error(`weights of an unknown type: ${type}`);
  });
}
