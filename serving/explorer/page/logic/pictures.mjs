// Pictures as the page draws and compares them: levels [height, width, channels].

/** Return RGBA pixels of levels, enlarged by a whole factor. */
export function toRgba(levels, [height, width, channels], factor = 1, out = new Uint8ClampedArray(4 * height * width * factor * factor)) {
  const wide = width * factor;
  for (let i = 0; i < height * factor; i++) {
    const row = Math.floor(i / factor) * width;
    for (let j = 0; j < wide; j++) {
      const from = (row + Math.floor(j / factor)) * channels;
      const to = 4 * (i * wide + j);
      out[to] = levels[from];
      out[to + 1] = levels[channels === 1 ? from : from + 1];
      out[to + 2] = levels[channels === 1 ? from : from + 2];
      out[to + 3] = 255;
    }
  }
  return out;
}

/** Shrink levels to a smaller size by the mean over each area. */
export function shrink(levels, [height, width, channels], [rows, columns]) {
  const out = new Float32Array(rows * columns * channels);
  for (let i = 0; i < rows; i++) {
    const [top, bottom] = [Math.floor((i * height) / rows), Math.max(Math.floor(((i + 1) * height) / rows), Math.floor((i * height) / rows) + 1)];
    for (let j = 0; j < columns; j++) {
      const [left, right] = [Math.floor((j * width) / columns), Math.max(Math.floor(((j + 1) * width) / columns), Math.floor((j * width) / columns) + 1)];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let a = top; a < bottom; a++) for (let b = left; b < right; b++) sum += levels[(a * width + b) * channels + c];
        out[(i * columns + j) * channels + c] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return out;
}

/**
 * Return the pictures that differ least from one: {index, distance}, nearest first. The distance is the root mean squared difference
 * of levels.
 * @param {Uint8Array} pictures [n, size]
 * @param {Float32Array} picture [size]
 */
export function nearestPictures(pictures, picture, count) {
  const size = picture.length;
  const found = [];
  for (let index = 0; index * size < pictures.length; index++) {
    let sum = 0;
    const limit = found.length === count ? found[count - 1].sum : Infinity;
    for (let i = 0, at = index * size; i < size && sum < limit; i++) sum += (pictures[at + i] - picture[i]) ** 2;
    if (sum >= limit) continue;
    let at = found.length;
    while (at > 0 && found[at - 1].sum > sum) at--;
    found.splice(at, 0, { index, sum });
    if (found.length > count) found.pop();
  }
  return found.map(({ index, sum }) => ({ index, distance: Math.sqrt(sum / size) }));
}
