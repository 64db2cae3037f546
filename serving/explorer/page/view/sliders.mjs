// A slider for each of the most active dimensions.

import { element, section } from "./dom.mjs";

const SHOWN = 16;
const REACH = 4; // standard deviations of the prior

export class SlidersView {
  constructor(app) {
    this.app = app;
    const { activity } = app.atlas;
    this.order = activity.map((_, i) => i).sort((a, b) => activity[b] - activity[a] || a - b).slice(0, SHOWN);
    this.inputs = this.order.map((dimension) => this.slider(dimension));
    const all = app.model.dim <= SHOWN;
    const hint = all ? "One for each dimension of the code." : `The ${SHOWN} most active of ${app.model.dim} dimensions.`;
    this.root = section("Dimensions", hint, element("div", { class: "sliders" }, ...this.inputs.map(({ root }) => root)));
  }

  slider(dimension) {
    const output = element("output", {}, "0.00");
    const changed = (commit) => {
      const code = Float32Array.from(this.app.current.code);
      code[dimension] = Number(input.value);
      output.textContent = code[dimension].toFixed(2);
      const state = { ...this.app.current, code, place: null };
      if (commit) this.app.commit(state);
      else this.app.preview(state);
    };
    const input = element("input", {
      type: "range", min: String(-REACH), max: String(REACH), step: "0.01", value: "0",
      "aria-label": `Dimension ${dimension + 1}`, oninput: () => changed(false), onchange: () => changed(true),
    });
    return { dimension, input, output, root: element("label", {}, `z ${dimension + 1}`, input, output) };
  }

  update(code) {
    for (const { dimension, input, output } of this.inputs) {
      input.value = String(code[dimension]);
      output.textContent = code[dimension].toFixed(2);
    }
  }
}
