// What part of the plane the map shows. A camera is {x, y, scale}: the place in the middle, and pixels per unit of the plane.

/** Return the camera that shows all points but the outermost few. */
export function fit(points, width, height) {
  const sorted = [0, 1].map((axis) => Float32Array.from({ length: points.length / 2 }, (_, i) => points[2 * i + axis]).sort());
  const at = (values, share) => values[Math.round(share * (values.length - 1))] ?? 0;
  const [left, right] = [at(sorted[0], 0.002), at(sorted[0], 0.998)];
  const [bottom, top] = [at(sorted[1], 0.002), at(sorted[1], 0.998)];
  const scale = Math.min(width / Math.max(right - left, 1e-3), height / Math.max(top - bottom, 1e-3)) * 0.9;
  return { x: (left + right) / 2, y: (bottom + top) / 2, scale };
}

export const toScreen = ({ x, y, scale }, width, height, px, py) => [width / 2 + (px - x) * scale, height / 2 - (py - y) * scale];
export const toPlane = ({ x, y, scale }, width, height, sx, sy) => [x + (sx - width / 2) / scale, y - (sy - height / 2) / scale];

/** Return the camera zoomed by a factor, with the place under (sx, sy) unmoved. `least` and `most` bound the scale. */
export function zoom(camera, width, height, sx, sy, factor, least, most) {
  const scale = Math.min(Math.max(camera.scale * factor, least), most);
  const [px, py] = toPlane(camera, width, height, sx, sy);
  return { x: px - (sx - width / 2) / scale, y: py + (sy - height / 2) / scale, scale };
}

/**
 * Choose the points whose thumbnails are drawn: at most one in each square of `cell` pixels, the first in order, inside the view.
 * The squares are fixed to the plane, so that panning does not change the choice.
 */
export function visible(points, camera, width, height, cell, allowed) {
  const taken = new Set();
  const chosen = [];
  const step = 2 ** Math.round(Math.log2(cell / camera.scale)); // of the plane; changes only by doubling
  for (let i = 0; 2 * i < points.length; i++) {
    if (!allowed(i)) continue;
    const [sx, sy] = toScreen(camera, width, height, points[2 * i], points[2 * i + 1]);
    if (sx < -cell || sy < -cell || sx > width + cell || sy > height + cell) continue;
    const key = `${Math.floor(points[2 * i] / step)},${Math.floor(points[2 * i + 1] / step)}`;
    if (taken.has(key)) continue;
    taken.add(key);
    chosen.push(i);
  }
  return { chosen, size: step * camera.scale };
}
