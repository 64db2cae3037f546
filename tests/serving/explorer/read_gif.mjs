// A reader of GIF files, written from the specification (GIF89a) apart from the writer.

/** Return {width, height, delay, frames}: RGB of each frame. */
export function readGif(bytes) {
  const short = (at) => bytes[at] | (bytes[at + 1] << 8);
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== "GIF89a") throw new Error("no GIF");
  const [width, height] = [short(6), short(8)];
  const colors = 2 << (bytes[10] & 7);
  const palette = bytes.subarray(13, 13 + 3 * colors);
  let at = 13 + 3 * colors;
  let delay = 0;
  const frames = [];
  while (bytes[at] !== 0x3b) {
    if (bytes[at] === 0x21) {
      if (bytes[at + 1] === 0xf9) delay = short(at + 4);
      for (at += 2; bytes[at]; at += bytes[at] + 1);
      at++;
    } else if (bytes[at] === 0x2c) {
      const depth = bytes[at + 10];
      const data = [];
      for (at += 11; bytes[at]; at += bytes[at] + 1) data.push(...bytes.subarray(at + 1, at + 1 + bytes[at]));
      at++;
      const indices = expand(data, depth);
      if (indices.length !== width * height) throw new Error(`${indices.length} pixels`);
      frames.push(Uint8ClampedArray.from(indices.flatMap((index) => [...palette.subarray(3 * index, 3 * index + 3)])));
    } else throw new Error(`unknown block ${bytes[at]}`);
  }
  return { width, height, delay, frames };
}

function expand(data, depth) {
  const clear = 1 << depth;
  let size = depth + 1;
  let table = [];
  let before = null;
  let bit = 0;
  const out = [];
  for (;;) {
    let code = 0;
    for (let i = 0; i < size; i++, bit++) code |= ((data[bit >> 3] >> (bit & 7)) & 1) << i;
    if (bit > 8 * data.length) throw new Error("cut short");
    if (code === clear) {
      table = Array.from({ length: clear + 2 }, (_, i) => [i]);
      size = depth + 1;
      before = null;
      continue;
    }
    if (code === clear + 1) return out;
    const entry = code < table.length ? table[code] : [...before, before[0]];
    out.push(...entry);
    if (before && table.length < 4096) table.push([...before, entry[0]]);
    if (table.length === 1 << size && size < 12) size++;
    before = entry;
  }
}
