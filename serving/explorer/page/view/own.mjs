// One's own pictures, which the server of the page describes: reconstruction, code, score, and how unusual they are.

import { describeOwn } from "../logic/own.mjs";
import { element, section } from "./dom.mjs";

export class OwnView {
  /** @param {{limit: number}} api the largest picture in bytes */
  constructor(app, api) {
    Object.assign(this, { app, api });
    this.input = element("input", { type: "file", accept: "image/*,.tif,.tiff,.bmp,.webp,.avif,.heic", id: "own-file", onchange: () => this.take(this.input.files[0]) });
    this.zone = element("div", { class: "drop", id: "own-drop" }, element("label", { for: "own-file" }, "Drop a picture here, or choose one: "), this.input);
    for (const name of ["dragenter", "dragover"]) this.zone.addEventListener(name, (event) => this.over(event, true));
    this.zone.addEventListener("dragleave", (event) => this.over(event, false));
    this.zone.addEventListener("drop", (event) => {
      this.over(event, false);
      this.take(event.dataTransfer.files[0]);
    });
    this.answer = element("div", { id: "own-answer", "aria-live": "polite" });
    this.root = section("Your picture", "The model on this machine encodes it, through the very graph that it was trained with. It stays on this machine.", this.zone, this.answer);
  }

  over(event, inside) {
    event.preventDefault();
    this.zone.classList.toggle("over", inside);
  }

  async take(file) {
    if (!file) return;
    if (file.size > this.api.limit) return this.fail(`${file.name} is too large: a picture has at most ${this.api.limit / 1e6} MB.`);
    this.answer.textContent = `Reading ${file.name} …`;
    try {
      const token = new URLSearchParams(location.search).get("token") ?? "";
      const response = await fetch("picture", { method: "POST", body: file, headers: { "X-Darkroom-Token": token } });
      const found = await response.json();
      if (response.ok) this.show(file.name, found);
      else this.fail(`${file.name}: ${found.error}`);
    } catch {
      this.fail("The server of this page does not answer. Is `darkroom explore` still running?");
    }
  }

  fail(sentence) {
    this.answer.replaceChildren(element("p", { class: "note" }, sentence));
  }

  show(name, found) {
    const picture = (uri, caption) => element("figure", {}, element("img", { src: uri, alt: `${caption}: ${name}` }), element("figcaption", {}, caption));
    const facts = describeOwn(found).map(([term, value]) => element("tr", {}, element("th", { scope: "row" }, term), element("td", {}, value)));
    this.answer.replaceChildren(
      element("div", { class: "row own" }, picture(found.original, "as the model sees it"), picture(found.reconstruction, "its reconstruction")),
      element("table", {}, element("tbody", {}, ...facts)),
    );
    const { labels } = this.app.model;
    const label = found.label === null ? this.app.current.label : labels.indexOf(found.label);
    this.app.commit({ code: Float32Array.from(found.code), label, place: null });
  }
}
