// New pictures from the density of codes that `darkroom generate` draws from.

import { button, element, section } from "./dom.mjs";

const COUNT = 24;
const COUNT_SLOW = 8;

export class SheetView {
  constructor(app) {
    this.app = app;
    const slow = app.model.slow;
    this.count = slow ? COUNT_SLOW : COUNT;
    this.seed = element("input", { type: "text", inputmode: "numeric", pattern: "[0-9]*", maxlength: "18", value: "7", size: "7", id: "seed", onchange: () => this.draw() });
    this.temperature = element("input", { type: "range", min: "0", max: "1.5", step: "0.05", value: "1", id: "temperature", onchange: () => this.draw(), oninput: () => this.label() });
    this.shown = element("output", {}, "1.00");
    this.grid = element("div", { class: "grid", id: "sheet" });
    const controls = [
      element("label", {}, "Seed", this.seed),
      button("Next", () => this.next(), { class: "main", id: "next", "aria-label": "New pictures from the next seed" }),
      element("label", {}, "Temperature", this.temperature, this.shown),
    ];
    if (app.model.labels.length) {
      const options = app.model.labels.map((name) => element("option", { value: name }, name));
      this.labelOf = element("select", { id: "sheet-label", onchange: () => this.draw() }, element("option", { value: "" }, "any"), ...options);
      controls.push(element("label", {}, "Label", this.labelOf));
    }
    const hint = `The first ${this.count} pictures of “darkroom generate” with this seed${app.model.sampled ? ", without the noise of pixels" : ""}.`;
    this.root = section("New pictures", hint, element("div", { class: "row" }, ...controls), this.grid);
    this.draw();
  }

  values() {
    return { seed: this.seed.value, temperature: Number(this.temperature.value) };
  }

  set(seed, temperature) {
    this.seed.value = seed;
    this.temperature.value = String(temperature);
    this.draw();
  }

  label() {
    this.shown.textContent = Number(this.temperature.value).toFixed(2);
  }

  next() {
    this.seed.value = String(BigInt(this.seed.value || "0") + 1n);
    this.draw();
  }

  async draw() {
    this.label();
    if (!/^\d{1,18}$/.test(this.seed.value)) this.seed.value = "7";
    const version = (this.version = (this.version ?? 0) + 1);
    const { app, count } = this;
    const request = { count, ...this.values(), label: this.labelOf?.value ?? "" };
    const cells = Array.from({ length: count }, () => element("span"));
    this.grid.setAttribute("aria-busy", "true");
    this.grid.replaceChildren(...cells);
    for (let first = 0; first < count; ) {
      const { codes, labels, last, pictures } = await app.client.ask("draw", { ...request, first });
      if (version !== this.version) return;
      const size = pictures.length / (last - first);
      for (let i = first; i < last; i++) {
        const code = codes.slice((i - first) * app.model.dim, (i - first + 1) * app.model.dim);
        const state = { code, label: labels ? labels[i - first] : -1 };
        cells[i].replaceWith(app.pictureButton(state, pictures.subarray((i - first) * size, (i - first + 1) * size), `New picture ${i + 1}`));
      }
      first = last;
    }
    this.grid.setAttribute("aria-busy", "false");
  }
}
