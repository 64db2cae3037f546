// A network of a program: its layers in order, with buffers that are reused between calls.

import { LAYERS } from "./layers.mjs";

const size = (shape) => shape.reduce((all, n) => all * n, 1);

/**
 * Prepare a network.
 * @param {{inputs: number[], output: number, shapes: number[][], layers: object[]}} description values are numbered; `shapes` has
 *   the shape of each without the number of codes; a layer is {op, inputs, output, ...its parameters}
 * @param {{shape: number[], values: Float32Array}[]} tensors weights, which parameters {tensor: index} name
 * @returns {(inputs: Float32Array[], n: number) => Float32Array} its result is valid until the next call
 */
export function prepare(description, tensors) {
  const { shapes, inputs, output } = description;
  const steps = description.layers.map(({ op, inputs: from, output: to, ...parameters }) => {
    if (!Object.hasOwn(LAYERS, op)) throw new Error(`the decoder has a layer that this page does not know: ${op}`);
    const known = Object.entries(parameters).map(([name, value]) => [name, isTensor(value) ? tensors[value.tensor] : value]);
    return { from, to, size: size(shapes[to]), run: LAYERS[op](Object.fromEntries(known), from.map((i) => shapes[i]), shapes[to]) };
  });
  let held = 0; // codes that the buffers have room for
  let buffers = [];
  return (given, n) => {
    if (n > held) {
      held = n;
      buffers = steps.map((step) => new Float32Array(n * step.size));
    }
    const values = [];
    inputs.forEach((index, i) => (values[index] = given[i]));
    steps.forEach((step, i) => {
      const out = buffers[i].subarray(0, n * step.size);
      step.run(step.from.map((index) => values[index]), n, out);
      values[step.to] = out;
    });
    return values[output];
  };
}

const isTensor = (value) => value !== null && typeof value === "object" && "tensor" in value;
