// Arithmetic on codes, Float32Arrays of one length.

export const length = (a) => Math.sqrt(dot(a, a));

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export const add = (a, b) => a.map((value, i) => value + b[i]);
export const subtract = (a, b) => a.map((value, i) => value - b[i]);
export const scale = (a, factor) => a.map((value) => value * factor);

/** Return the mean of some codes. */
export function mean(codes) {
  const sum = new Float32Array(codes[0].length);
  for (const code of codes) for (let i = 0; i < sum.length; i++) sum[i] += code[i] / codes.length;
  return sum;
}

/** Return the mean of some codes, at their mean length: a plain mean of many lies where no picture does. */
export function average(codes) {
  const middle = mean(codes);
  const wanted = codes.reduce((sum, code) => sum + length(code), 0) / codes.length;
  const own = length(middle);
  return own > 1e-6 ? scale(middle, wanted / own) : middle;
}

/**
 * Return the code at a share, 0 to 1, of the way along the sphere between two codes (Shoemake 1985). Lengths change linearly.
 * Codes in the same or in opposite directions are joined by a straight line; so is 0.
 */
export function slerp(start, end, share) {
  const lengths = [length(start), length(end)];
  const straight = start.map((value, i) => (1 - share) * value + share * end[i]);
  if (Math.min(...lengths) === 0) return straight;
  const cosine = dot(start, end) / (lengths[0] * lengths[1]);
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  const sine = Math.sin(angle);
  if (sine < 1e-3) return straight;
  const size = (1 - share) * lengths[0] + share * lengths[1];
  const first = (Math.sin((1 - share) * angle) / sine / lengths[0]) * size;
  const second = (Math.sin(share * angle) / sine / lengths[1]) * size;
  return start.map((value, i) => first * value + second * end[i]);
}

/**
 * Return the code at a place of a walk through some codes: whole numbers are the codes themselves.
 * @param {boolean} loop whether the walk goes from the last code back to the first
 */
export function along(codes, place, loop) {
  const legs = loop ? codes.length : codes.length - 1;
  if (legs < 1) return codes[0];
  const at = loop ? ((place % legs) + legs) % legs : Math.min(Math.max(place, 0), legs);
  const leg = Math.min(Math.floor(at), legs - 1);
  return slerp(codes[leg], codes[(leg + 1) % codes.length], at - leg);
}
