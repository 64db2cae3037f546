// Arithmetic with kept codes: one, minus another, plus a third; and the average of all.

import { add, average, subtract } from "../logic/vectors.mjs";
import { button, element, section } from "./dom.mjs";

export class ArithmeticView {
  constructor(app) {
    this.app = app;
    this.selects = ["This", "minus", "plus"].map((name) => ({
      name,
      chosen: false, // by the person; before that, the first, the second and the third
      select: element("select", { "aria-label": name }),
    }));
    for (const one of this.selects) one.select.addEventListener("change", () => (one.chosen = true));
    this.compute = button("=", () => this.apply(), { class: "main", id: "equals", "aria-label": "Compute" });
    const parts = this.selects.map(({ name, select }) => element("label", {}, name, select));
    this.root = section("Arithmetic", "Codes add and subtract: what two kept pictures differ in, put on a third.", element("div", { class: "row" }, ...parts, this.compute));
    this.update();
  }

  update() {
    const { kept } = this.app;
    this.selects.forEach(({ select, chosen }, which) => {
      const before = select.value;
      select.replaceChildren(...kept.map((_, i) => element("option", { value: String(i) }, `picture ${i + 1}`)));
      select.value = chosen && Number(before) < kept.length ? before : String(Math.min(which, kept.length - 1));
    });
    this.compute.disabled = kept.length < 2;
    for (const { select } of this.selects) select.disabled = kept.length < 2;
  }

  apply() {
    const [first, minus, plus] = this.selects.map(({ select }) => this.app.kept[Number(select.value)]);
    this.app.commit({ code: add(subtract(first.code, minus.code), plus.code), label: first.label, place: null });
    this.app.say("Computed.");
  }

  average() {
    const { kept } = this.app;
    this.app.commit({ code: average(kept.map(({ code }) => code)), label: kept[0].label, place: null });
  }
}
