// The state of the page in a link: a code, its label, and the codes that were kept.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SCHEMA = 1;

/** Encode bytes as base64url without padding. */
export function toText(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let j = 0; j < Math.min(4, bytes.length - i + 1); j++) text += ALPHABET[(group >> (18 - 6 * j)) & 63];
  }
  return text;
}

/** Decode base64url. An unknown character is an error. */
export function fromText(text) {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw new Error("not base64url");
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) bytes[at++] = (held >> (bits -= 8)) & 255;
  }
  return bytes;
}

/**
 * Return the fragment of a link that restores a state.
 * @param {{code: Float32Array, label: number, kept: {code: Float32Array, label: number}[], seed: string, temperature: number}} state
 */
export function toFragment({ code, label, kept, seed, temperature }) {
  const all = [{ code, label }, ...kept];
  const numbers = new Float32Array(all.length * code.length);
  all.forEach((one, i) => numbers.set(one.code, i * code.length));
  const labels = all.map((one) => one.label).join(".");
  return `#v=${SCHEMA}&l=${labels}&s=${seed}&t=${temperature}&z=${toText(new Uint8Array(numbers.buffer))}`;
}

/** Return the state of a fragment, or null if it is none for codes of `dim` dimensions and this number of labels. */
export function fromFragment(fragment, dim, labelCount) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  if (fields.get("v") !== String(SCHEMA)) return null;
  try {
    const numbers = new Float32Array(fromText(fields.get("z") ?? "").slice().buffer);
    const labels = (fields.get("l") ?? "").split(".").map(Number);
    const count = numbers.length / dim;
    const valid = Number.isInteger(count) && count >= 1 && labels.length === count && numbers.every(Number.isFinite);
    if (!valid || labels.some((label) => !Number.isInteger(label) || label < -1 || label >= labelCount)) return null;
    const all = labels.map((label, i) => ({ code: numbers.slice(i * dim, (i + 1) * dim), label }));
    const seed = /^\d{1,18}$/.test(fields.get("s") ?? "") ? fields.get("s") : "7";
    const temperature = Number(fields.get("t"));
    return { ...all[0], kept: all.slice(1), seed, temperature: temperature >= 0 && temperature <= 2 ? temperature : 1 };
  } catch {
    return null;
  }
}
