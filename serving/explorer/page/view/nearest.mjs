// The training pictures that are nearest to the one that is shown.

import { nearestPictures, shrink } from "../logic/pictures.mjs";
import { element, section } from "./dom.mjs";

const SHOWN = 5;
const PAUSE = 120; // milliseconds without a new picture before the search

export class NearestView {
  /** @param {{levels: Uint8Array, size: number[], count: number, total: number, draw: Function}} training pictures of one size */
  constructor(app, training) {
    Object.assign(this, { app, training });
    this.grid = element("div", { class: "grid", id: "nearest" });
    const [count, total] = [training.count, training.total].map((number) => number.toLocaleString("en-US"));
    const of = training.count < training.total ? `${count} of ${total}` : count;
    this.root = section("Nearest training pictures", `Among ${of}, by the root mean squared difference of levels.`, this.grid);
  }

  update(picture) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(picture), PAUSE);
  }

  search(picture) {
    const { shape } = this.app.model;
    const { levels, size, draw } = this.training;
    const found = nearestPictures(levels, shrink(picture, shape, size), SHOWN);
    this.grid.replaceChildren(
      ...found.map(({ index, distance }) => {
        const canvas = element("canvas", { width: String(size[1]), height: String(size[0]), role: "img", "aria-label": `Training picture at distance ${distance.toFixed(1)}` });
        draw(canvas.getContext("2d"), index, 0, 0, size[1], size[0]);
        return element("figure", {}, canvas, element("figcaption", {}, distance.toFixed(1)));
      }),
    );
  }
}
