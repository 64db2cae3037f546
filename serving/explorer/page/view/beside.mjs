// Another version of the model: the same code, decoded by both.

import { toRgba } from "../logic/pictures.mjs";
import { element, paint, section } from "./dom.mjs";

export class BesideView {
  /** @param {{name: string, client: import("../engine/client.mjs").Client}} other the version, and its decoder */
  constructor(app, other) {
    Object.assign(this, { app, other });
    this.canvas = element("canvas", { role: "img", "aria-label": `The picture of the current code in version ${other.name}`, id: "beside" });
    this.root = section(`Version ${other.name}`, `The same code, decoded by version ${other.name}.`, element("div", { class: "stage" }, this.canvas));
  }

  async update({ code, label }) {
    const pictures = await this.other.client.latest("beside", "decode", { codes: code, labels: [label] });
    if (pictures) paint(this.canvas, pictures, this.app.model.shape, toRgba, this.app.model.shape, this.app.factor());
  }
}
