// Sheets: many small pictures in one PNG.

/**
 * Load a sheet.
 * @param {{uri: string, columns: number, size: number[], count: number}} sheet `size` is rows and columns of a picture
 * @returns {{draw: Function, levels: (channels: number) => Uint8Array}}
 */
export async function loadSheet({ uri, columns, size: [height, width], count }) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const at = (i) => [(i % columns) * width, Math.floor(i / columns) * height];
  return {
    draw: (context, i, x, y, wide, tall) => context.drawImage(image, ...at(i), width, height, x, y, wide, tall),
    levels: (channels) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: image.width, height: image.height });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const all = context.getImageData(0, 0, image.width, image.height).data;
      const out = new Uint8Array(count * height * width * channels);
      let to = 0;
      for (let i = 0; i < count; i++) {
        const [left, top] = at(i);
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const from = 4 * ((top + row) * image.width + left + column);
            for (let c = 0; c < channels; c++) out[to++] = all[from + c];
          }
        }
      }
      return out;
    },
  };
}

/** Return the same for pictures of levels [n, height, width, channels], as the decoder makes them. */
export function sheetOf(levels, shape, count, toRgba) {
  const [height, width] = shape;
  const size = levels.length / count;
  const canvas = document.createElement("canvas");
  const columns = Math.ceil(Math.sqrt(count));
  Object.assign(canvas, { width: columns * width, height: Math.ceil(count / columns) * height });
  const context = canvas.getContext("2d");
  const at = (i) => [(i % columns) * width, Math.floor(i / columns) * height];
  for (let i = 0; i < count; i++) context.putImageData(new ImageData(toRgba(levels.subarray(i * size, (i + 1) * size), shape), width, height), ...at(i));
  return { draw: (target, i, x, y, wide, tall) => target.drawImage(canvas, ...at(i), width, height, x, y, wide, tall) };
}
