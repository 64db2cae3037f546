// A GIF of pictures: one palette for all frames, LZW, endless loop (GIF89a).

/**
 * Encode frames.
 * @param {Uint8Array[]} frames RGBA [height, width, 4] each; alpha is ignored
 * @param {number} delay between frames, in hundredths of a second
 * @returns {Uint8Array} the file
 */
export function encodeGif(frames, width, height, delay) {
  const palette = paletteOf(frames);
  const index = indexer(palette);
  const out = [];
  const text = (value) => out.push(...[...value].map((letter) => letter.charCodeAt(0)));
  const short = (value) => out.push(value & 255, value >> 8);
  text("GIF89a");
  short(width);
  short(height);
  out.push(0xf7, 0, 0); // 256 colors for all frames
  for (let i = 0; i < 256; i++) out.push(...(palette[i] ?? [0, 0, 0]));
  out.push(0x21, 0xff, 11);
  text("NETSCAPE2.0");
  out.push(3, 1, 0, 0, 0);
  for (const frame of frames) {
    out.push(0x21, 0xf9, 4, 4);
    short(delay);
    out.push(0, 0, 0x2c, 0, 0, 0, 0);
    short(width);
    short(height);
    out.push(0, 8);
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) pixels[i] = index(frame[4 * i], frame[4 * i + 1], frame[4 * i + 2]);
    const packed = compress(pixels, 8);
    for (let at = 0; at < packed.length; at += 255) {
      const block = packed.slice(at, at + 255);
      out.push(block.length);
      for (const byte of block) out.push(byte);
    }
    out.push(0);
  }
  out.push(0x3b);
  return Uint8Array.from(out);
}

/** Choose at most 256 colors: all that there are, or by median cut (Heckbert 1982). */
export function paletteOf(frames) {
  const counts = new Map();
  for (const frame of frames) {
    for (let i = 0; i < frame.length; i += 4) {
      const key = (frame[i] << 16) | (frame[i + 1] << 8) | frame[i + 2];
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const colors = [...counts].map(([key, count]) => ({ at: [key >> 16, (key >> 8) & 255, key & 255], count }));
  if (colors.length <= 256) return colors.map((color) => color.at);
  let boxes = [colors];
  while (boxes.length < 256) {
    const widths = boxes.map((box) => (box.length > 1 ? widest(box) : { width: -1 }));
    const which = widths.reduce((best, one, i) => (one.width > widths[best].width ? i : best), 0);
    if (widths[which].width <= 0) break;
    const { axis } = widths[which];
    const box = boxes[which].sort((a, b) => a.at[axis] - b.at[axis]);
    const half = box.reduce((sum, color) => sum + color.count, 0) / 2;
    let cut = 0;
    for (let sum = 0; cut < box.length - 1 && sum + box[cut].count <= half; cut++) sum += box[cut].count;
    cut = Math.max(cut, 1);
    boxes.splice(which, 1, box.slice(0, cut), box.slice(cut));
  }
  return boxes.map((box) => {
    const total = box.reduce((sum, color) => sum + color.count, 0);
    return [0, 1, 2].map((axis) => Math.round(box.reduce((sum, color) => sum + color.at[axis] * color.count, 0) / total));
  });
}

function widest(box) {
  const widths = [0, 1, 2].map((axis) => {
    const values = box.map((color) => color.at[axis]);
    return values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
  });
  const axis = widths.indexOf(Math.max(...widths));
  return { axis, width: widths[axis] * Math.sqrt(box.length) };
}

/** Return the function that finds the nearest color of a palette. */
function indexer(palette) {
  const known = new Map();
  return (r, g, b) => {
    const key = (r << 16) | (g << 8) | b;
    let best = known.get(key);
    if (best !== undefined) return best;
    let least = Infinity;
    palette.forEach((color, i) => {
      const distance = (color[0] - r) ** 2 + (color[1] - g) ** 2 + (color[2] - b) ** 2;
      if (distance < least) [least, best] = [distance, i];
    });
    known.set(key, best);
    return best;
  };
}

/** LZW with codes of growing length, as GIF stores them. */
export function compress(pixels, depth) {
  const clear = 1 << depth;
  const bytes = [];
  let held = 0;
  let bits = 0;
  let size = depth + 1;
  const write = (code) => {
    held |= code << bits;
    bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  let table = new Map();
  let next = clear + 2;
  write(clear);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (prefix << 8) | pixels[i];
    const code = table.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    write(prefix);
    if (next < 4096) {
      if (next === 1 << size) size++;
      table.set(key, next++);
    } else {
      write(clear);
      table = new Map();
      next = clear + 2;
      size = depth + 1;
    }
    prefix = pixels[i];
  }
  write(prefix);
  if (next === 1 << size && size < 12) size++;
  write(clear + 1);
  if (bits) bytes.push(held & 255);
  return bytes;
}
