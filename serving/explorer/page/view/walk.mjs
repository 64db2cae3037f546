// The kept pictures, and the walk through them along the sphere.

import { encodeGif } from "../logic/gif.mjs";
import { toRgba } from "../logic/pictures.mjs";
import { along } from "../logic/vectors.mjs";
import { button, download, element, section } from "./dom.mjs";

const SECONDS = 1.6; // from one kept picture to the next
const FRAMES = 16; // of a GIF, for each leg

export class WalkView {
  constructor(app) {
    this.app = app;
    this.tray = element("ul", { class: "tray", "aria-label": "Kept pictures" });
    this.scrubber = element("input", {
      type: "range", min: "0", max: "1", step: "0.01", value: "0", "aria-label": "Place of the walk", oninput: () => this.show(Number(this.scrubber.value)),
      onchange: () => this.app.commit(this.state(Number(this.scrubber.value))),
    });
    this.play = button("▶ Play", () => this.toggle(), { id: "play" });
    this.loop = element("input", { type: "checkbox", id: "loop", onchange: () => this.update() });
    this.gif = button("GIF", () => this.save(), { "aria-label": "Save the walk as an animated GIF", id: "gif" });
    const average = button("Average", () => this.app.arithmetic.average(), { id: "average" });
    this.average = average;
    this.controls = element("div", {}, this.scrubber, element("div", { class: "row" }, this.play, element("label", {}, this.loop, "Loop"), this.gif, average));
    this.root = section("Walk", "Keep pictures, then walk between them along the sphere on which codes lie.", this.tray, this.controls);
    this.update();
  }

  get codes() {
    return this.app.kept.map(({ code }) => code);
  }

  update() {
    const { kept } = this.app;
    const ready = kept.length > 1;
    this.controls.hidden = !ready;
    if (!ready) this.stop();
    this.scrubber.max = String(Math.max(this.loop.checked ? kept.length : kept.length - 1, 1));
    if (!kept.length) {
      this.tray.replaceChildren(element("li", { class: "empty", style: null }, "Nothing is kept yet."));
      this.tray.firstChild.style.width = "auto";
      return;
    }
    const version = (this.version = (this.version ?? 0) + 1);
    this.app.decode(joined(this.codes), kept.map(({ label }) => label)).then((pictures) => {
      if (version !== this.version) return;
      const size = pictures.length / kept.length;
      this.tray.replaceChildren(
        ...kept.map((state, i) =>
          element(
            "li",
            {},
            this.app.pictureButton(state, pictures.subarray(i * size, (i + 1) * size), `Kept picture ${i + 1}`),
            button("×", () => this.app.drop(i), { class: "remove", "aria-label": `Remove kept picture ${i + 1}` }),
            String(i + 1),
          ),
        ),
      );
    });
  }

  /** Return the state at a place of the walk; its label is that of the nearer kept picture. */
  state(place) {
    const { kept } = this.app;
    const { label } = kept[Math.round(place) % kept.length];
    return { code: along(this.codes, place, this.loop.checked), label, place: null };
  }

  show(place) {
    const state = this.state(place);
    this.app.map.mark(this.app.placeOf(state.code));
    return this.app.preview(state);
  }

  toggle() {
    if (this.running) return this.stop();
    this.running = true;
    this.play.textContent = "❚❚ Pause";
    const begin = performance.now() - (Number(this.scrubber.value) % Number(this.scrubber.max)) * SECONDS * 1000;
    const step = async (now) => {
      if (!this.running) return;
      const place = (now - begin) / 1000 / SECONDS;
      const end = Number(this.scrubber.max);
      if (place >= end && !this.loop.checked) {
        this.scrubber.value = String(end);
        await this.show(end);
        return this.stop();
      }
      this.scrubber.value = String(place % end);
      await this.show(place % end);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    this.running = false;
    this.play.textContent = "▶ Play";
  }

  async save() {
    this.gif.disabled = true;
    const legs = Number(this.scrubber.max);
    const states = Array.from({ length: legs * FRAMES + (this.loop.checked ? 0 : 1) }, (_, i) => this.state(i / FRAMES));
    const { shape } = this.app.model;
    const factor = Math.max(1, Math.floor(256 / Math.max(shape[0], shape[1])));
    const frames = [];
    for (const state of states) frames.push(toRgba(await this.app.decode(state.code, [state.label]), shape, factor));
    download(encodeGif(frames, shape[1] * factor, shape[0] * factor, 7), "walk.gif", "image/gif");
    this.gif.disabled = false;
  }
}

/** Join codes to one array. */
export function joined(codes) {
  const all = new Float32Array(codes.length * codes[0].length);
  codes.forEach((code, i) => all.set(code, i * code.length));
  return all;
}
