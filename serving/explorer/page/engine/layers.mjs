// The operations of a program. Each has a `prepare`, called once, which returns the function that computes its output.
// Values are Float32Arrays of n codes one after the other; pictures and grids are [rows, columns, channels] within a code.

import { multiply, pack } from "./gemm.mjs";

const product = (shape) => shape.reduce((all, size) => all * size, 1);

const ACTIVATIONS = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => (x > 0 ? x : 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  linear: (x) => x,
};

function activated(values, name) {
  if (name === "silu") {
    for (let i = 0; i < values.length; i++) values[i] = values[i] / (1 + Math.exp(-values[i]));
    return values;
  }
  if (name === "linear") return values;
  const apply = ACTIVATIONS[name];
  for (let i = 0; i < values.length; i++) values[i] = apply(values[i]);
  return values;
}

/** How many zeros TensorFlow's padding puts before the first row or column. */
function before(size, kernel, stride, padding) {
  if (padding === "valid") return 0;
  return Math.floor(Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0) / 2);
}

/** Copy the window of each output place into a row: [rows * columns, kernel * kernel * channels]. */
function windows(x, from, [rows, columns, channels], [outRows, outColumns], kernel, stride, [top, left], out) {
  const [kernelRows, kernelColumns] = kernel;
  const length = kernelRows * kernelColumns * channels;
  out.fill(0);
  for (let i = 0; i < outRows; i++) {
    for (let j = 0; j < outColumns; j++) {
      const to = (i * outColumns + j) * length;
      for (let a = 0; a < kernelRows; a++) {
        const row = i * stride[0] + a - top;
        if (row < 0 || row >= rows) continue;
        const first = j * stride[1] - left; // the window's columns in the picture
        const start = Math.max(first, 0);
        const end = Math.min(first + kernelColumns, columns);
        if (end <= start) continue;
        const source = from + (row * columns + start) * channels;
        out.set(x.subarray(source, source + (end - start) * channels), to + (a * kernelColumns + start - first) * channels);
      }
    }
  }
}

export const LAYERS = {
  /** A matrix product over the last axis. */
  dense({ kernel, bias = null, activation = "linear" }, [shape]) {
    const [inner, columns] = kernel.shape;
    const packed = pack(kernel.values, inner, columns);
    const places = product(shape) / inner;
    return ([x], n, out) => {
      multiply(x, n * places, packed, bias && bias.values, out);
      activated(out, activation);
    };
  },

  convolution({ kernel, bias = null, activation = "linear", strides, padding }, [shape], outShape) {
    const [kernelRows, kernelColumns, channels, filters] = kernel.shape;
    const inner = kernelRows * kernelColumns * channels;
    const packed = pack(kernel.values, inner, filters);
    const places = outShape[0] * outShape[1];
    const plain = inner === channels && strides[0] === 1 && strides[1] === 1;
    const offsets = [before(shape[0], kernelRows, strides[0], padding), before(shape[1], kernelColumns, strides[1], padding)];
    const columns = plain ? null : new Float32Array(places * inner);
    return ([x], n, out) => {
      if (plain) multiply(x, n * places, packed, bias && bias.values, out);
      else {
        for (let i = 0; i < n; i++) {
          windows(x, i * product(shape), shape, outShape, [kernelRows, kernelColumns], strides, offsets, columns);
          const part = out.subarray(i * places * filters, (i + 1) * places * filters);
          multiply(columns, places, packed, bias && bias.values, part);
        }
      }
      activated(out, activation);
    };
  },

  /** The transposed convolution is the gradient of a convolution: every place adds its window to the larger picture. */
  transposed({ kernel, bias = null, activation = "linear", strides, padding }, [shape], outShape) {
    const [kernelRows, kernelColumns, filters, channels] = kernel.shape;
    const window = kernelRows * kernelColumns * filters;
    const turned = new Float32Array(channels * window);
    for (let i = 0; i < window; i++) for (let c = 0; c < channels; c++) turned[c * window + i] = kernel.values[i * channels + c];
    const packed = pack(turned, channels, window);
    const [rows, columns] = shape;
    const [outRows, outColumns] = outShape;
    const top = before(outRows, kernelRows, strides[0], padding);
    const left = before(outColumns, kernelColumns, strides[1], padding);
    const added = new Float32Array(rows * columns * window);
    return ([x], n, out) => {
      out.fill(0);
      const size = outRows * outColumns * filters;
      for (let code = 0; code < n; code++) {
        multiply(x.subarray(code * rows * columns * channels, (code + 1) * rows * columns * channels), rows * columns, packed, null, added);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            for (let a = 0; a < kernelRows; a++) {
              const row = i * strides[0] + a - top;
              if (row < 0 || row >= outRows) continue;
              for (let b = 0; b < kernelColumns; b++) {
                const column = j * strides[1] + b - left;
                if (column < 0 || column >= outColumns) continue;
                const to = code * size + (row * outColumns + column) * filters;
                const from = ((i * columns + j) * kernelRows * kernelColumns + a * kernelColumns + b) * filters;
                for (let f = 0; f < filters; f++) out[to + f] += added[from + f];
              }
            }
          }
        }
      }
      if (bias) for (let i = 0; i < out.length; i++) out[i] += bias.values[i % filters];
      activated(out, activation);
    };
  },

  activation({ activation }) {
    return ([x], n, out) => {
      out.set(x);
      activated(out, activation);
    };
  },

  /** limit * tanh(x / limit) */
  bounded({ limit }) {
    return ([x], n, out) => {
      for (let i = 0; i < out.length; i++) out[i] = limit * Math.tanh(x[i] / limit);
    };
  },

  /** Normalize the last axis to mean 0 and deviation 1, then scale and shift. */
  normalization({ gamma = null, beta = null, epsilon }, [shape]) {
    const width = shape[shape.length - 1];
    return ([x], n, out) => {
      for (let at = 0; at < x.length; at += width) {
        let mean = 0;
        for (let i = 0; i < width; i++) mean += x[at + i];
        mean /= width;
        let variance = 0;
        for (let i = 0; i < width; i++) variance += (x[at + i] - mean) ** 2;
        const scale = 1 / Math.sqrt(variance / width + epsilon);
        for (let i = 0; i < width; i++) {
          const value = (x[at + i] - mean) * scale;
          out[at + i] = (gamma ? value * gamma.values[i] : value) + (beta ? beta.values[i] : 0);
        }
      }
    };
  },

  /** Add values of one shape, or values that are the same at each place, [1, 1, channels]. */
  add(_, shapes, outShape) {
    const sizes = shapes.map(product);
    const size = product(outShape);
    return (inputs, n, out) => {
      out.fill(0);
      inputs.forEach((x, index) => {
        if (sizes[index] === size) for (let i = 0; i < out.length; i++) out[i] += x[i];
        else {
          const width = sizes[index];
          for (let code = 0; code < n; code++) {
            for (let i = 0; i < size; i++) out[code * size + i] += x[code * width + (i % width)];
          }
        }
      });
    };
  },

  /** Add one weight to each value of a code. */
  bias({ values }, [shape]) {
    const size = product(shape);
    return ([x], n, out) => {
      for (let i = 0; i < out.length; i++) out[i] = x[i] + values.values[i % size];
    };
  },

  concatenate(_, shapes, outShape) {
    const widths = shapes.map((shape) => shape[shape.length - 1]);
    const width = outShape[outShape.length - 1];
    return (inputs, n, out) => {
      let column = 0;
      inputs.forEach((x, index) => {
        const own = widths[index];
        for (let row = 0; row * own < x.length; row++) out.set(x.subarray(row * own, (row + 1) * own), row * width + column);
        column += own;
      });
    };
  },

  /** Select the columns from `start` to `end` of the last axis. */
  slice({ start, end }, [shape]) {
    const width = shape[shape.length - 1];
    return ([x], n, out) => {
      for (let row = 0; row * width < x.length; row++) out.set(x.subarray(row * width + start, row * width + end), row * (end - start));
    };
  },

  /** mean + exp(log_scale) * x */
  rescale() {
    return ([x, mean, logScale], n, out) => {
      for (let i = 0; i < out.length; i++) out[i] = mean[i] + Math.exp(logScale[i]) * x[i];
    };
  },

  reshape() {
    return ([x], n, out) => out.set(x);
  },

  /** Exchange two axes: [a, b] -> [b, a]. */
  transpose(_, [[rows, columns]]) {
    return ([x], n, out) => {
      const size = rows * columns;
      for (let code = 0; code < n; code++) {
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) out[code * size + j * rows + i] = x[code * size + i * columns + j];
        }
      }
    };
  },

  crop({ top, left }, [[rows, columns, channels]], [outRows, outColumns]) {
    return ([x], n, out) => {
      for (let code = 0; code < n; code++) {
        for (let i = 0; i < outRows; i++) {
          const from = ((code * rows + i + top) * columns + left) * channels;
          out.set(x.subarray(from, from + outColumns * channels), (code * outRows + i) * outColumns * channels);
        }
      }
    };
  },

  /** Split a picture into patches. If a side is no multiple of the patch's, the last row or column is repeated. */
  to_patches({ patch }, [[rows, columns, channels]], [outRows, outColumns, width]) {
    return ([x], n, out) => {
      for (let code = 0; code < n; code++) {
        for (let i = 0; i < outRows * patch; i++) {
          const row = Math.min(i, rows - 1);
          for (let j = 0; j < outColumns * patch; j++) {
            const from = ((code * rows + row) * columns + Math.min(j, columns - 1)) * channels;
            const place = (code * outRows + Math.floor(i / patch)) * outColumns + Math.floor(j / patch);
            const to = place * width + ((i % patch) * patch + (j % patch)) * channels;
            for (let c = 0; c < channels; c++) out[to + c] = x[from + c];
          }
        }
      }
    };
  },

  /** Assemble a picture from patches, and leave out what lies beyond it. */
  from_patches({ patch }, [[rows, columns, width]], [outRows, outColumns, channels]) {
    return ([x], n, out) => {
      for (let code = 0; code < n; code++) {
        for (let i = 0; i < outRows; i++) {
          for (let j = 0; j < outColumns; j++) {
            const place = (code * rows + Math.floor(i / patch)) * columns + Math.floor(j / patch);
            const from = place * width + ((i % patch) * patch + (j % patch)) * channels;
            const to = ((code * outRows + i) * outColumns + j) * channels;
            for (let c = 0; c < channels; c++) out[to + c] = x[from + c];
          }
        }
      }
    };
  },

  /** Sines, then cosines, of a number times each frequency: [1] -> [2 * frequencies]. */
  waves({ frequencies }) {
    const count = frequencies.values.length;
    return ([x], n, out) => {
      for (let code = 0; code < n; code++) {
        for (let i = 0; i < count; i++) {
          const angle = Math.fround(x[code] * frequencies.values[i]);
          out[code * 2 * count + i] = Math.sin(angle);
          out[code * 2 * count + count + i] = Math.cos(angle);
        }
      }
    };
  },
};
