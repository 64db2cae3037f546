// Matrix products on typed arrays: the part of a decoder that takes the time.

const COLUMNS = 4; // of a panel; with 4 rows, 16 sums stay in registers

/**
 * Reorder a matrix for `multiply`: panels of 4 columns, each row by row, so that the inner loop reads memory in order.
 * @param {Float32Array} matrix [inner, columns]
 * @returns {{panels: Float32Array, inner: number, columns: number}} columns are filled up with zeros to a multiple of 4
 */
export function pack(matrix, inner, columns) {
  const count = Math.ceil(columns / COLUMNS);
  const panels = new Float32Array(count * inner * COLUMNS);
  for (let panel = 0; panel < count; panel++) {
    const width = Math.min(COLUMNS, columns - panel * COLUMNS);
    for (let k = 0; k < inner; k++) {
      const to = (panel * inner + k) * COLUMNS;
      const from = k * columns + panel * COLUMNS;
      for (let j = 0; j < width; j++) panels[to + j] = matrix[from + j];
    }
  }
  return { panels, inner, columns };
}

/**
 * Compute out = left * packed + bias. Sums are of double precision, so their order does not matter.
 * @param {Float32Array} left [rows, inner]
 * @param {{panels: Float32Array, inner: number, columns: number}} packed
 * @param {Float32Array|null} bias [columns]
 * @param {Float32Array} out [rows, columns]
 */
export function multiply(left, rows, packed, bias, out) {
  const { panels, inner, columns } = packed;
  const whole = rows - (rows % 4);
  const count = Math.ceil(columns / COLUMNS);
  for (let panel = 0; panel < count; panel++) {
    const column = panel * COLUMNS;
    const width = Math.min(COLUMNS, columns - column);
    const start = panel * inner * COLUMNS;
    for (let row = 0; row < whole; row += 4) fourRows(left, row, panels, start, inner, out, columns, column, width, bias);
    for (let row = whole; row < rows; row++) oneRow(left, row, panels, start, inner, out, columns, column, width, bias);
  }
}

function fourRows(left, row, panels, start, inner, out, columns, column, width, bias) {
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
  let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0;
  let s30 = 0, s31 = 0, s32 = 0, s33 = 0;
  let at0 = row * inner, at1 = at0 + inner, at2 = at1 + inner, at3 = at2 + inner;
  for (let k = 0, at = start; k < inner; k++, at += 4) {
    const w0 = panels[at], w1 = panels[at + 1], w2 = panels[at + 2], w3 = panels[at + 3];
    const x0 = left[at0++], x1 = left[at1++], x2 = left[at2++], x3 = left[at3++];
    s00 += x0 * w0; s01 += x0 * w1; s02 += x0 * w2; s03 += x0 * w3;
    s10 += x1 * w0; s11 += x1 * w1; s12 += x1 * w2; s13 += x1 * w3;
    s20 += x2 * w0; s21 += x2 * w1; s22 += x2 * w2; s23 += x2 * w3;
    s30 += x3 * w0; s31 += x3 * w1; s32 += x3 * w2; s33 += x3 * w3;
  }
  const to = row * columns + column;
  store(out, to, width, bias, column, s00, s01, s02, s03);
  store(out, to + columns, width, bias, column, s10, s11, s12, s13);
  store(out, to + 2 * columns, width, bias, column, s20, s21, s22, s23);
  store(out, to + 3 * columns, width, bias, column, s30, s31, s32, s33);
}

function oneRow(left, row, panels, start, inner, out, columns, column, width, bias) {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  let from = row * inner;
  for (let k = 0, at = start; k < inner; k++, at += 4) {
    const x = left[from++];
    s0 += x * panels[at];
    s1 += x * panels[at + 1];
    s2 += x * panels[at + 2];
    s3 += x * panels[at + 3];
  }
  store(out, row * columns + column, width, bias, column, s0, s1, s2, s3);
}

function store(out, to, width, bias, column, s0, s1, s2, s3) {
  const add = bias !== null;
  out[to] = add ? s0 + bias[column] : s0;
  if (width > 1) out[to + 1] = add ? s1 + bias[column + 1] : s1;
  if (width > 2) out[to + 2] = add ? s2 + bias[column + 2] : s2;
  if (width > 3) out[to + 3] = add ? s3 + bias[column + 3] : s3;
}
