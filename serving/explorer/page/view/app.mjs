// The page: the current code, and what is made of it.

import { History } from "../logic/history.mjs";
import { fromFragment, toFragment } from "../logic/link.mjs";
import { toRgba } from "../logic/pictures.mjs";
import { codeAt, project } from "../logic/plane.mjs";
import { ArithmeticView } from "./arithmetic.mjs";
import { BesideView } from "./beside.mjs";
import { button, download, element, paint, section } from "./dom.mjs";
import { MapView } from "./map.mjs";
import { NearestView } from "./nearest.mjs";
import { OwnView } from "./own.mjs";
import { SheetView } from "./sheet.mjs";
import { SlidersView } from "./sliders.mjs";
import { WalkView } from "./walk.mjs";

export class App {
  /**
   * @param {object} model {dim, shape, labels, sampled, slow}
   * @param {object} atlas {codes, labels, names, plane, points, thumbnails, activity, held}: the codes of the map
   * @param {import("../engine/client.mjs").Client} client
   * @param {object | null} training pictures to find the nearest among
   * @param {object} more `api`: what the server of the page offers, undefined without one; `beside`: another version, null for none
   */
  constructor(model, atlas, client, training, { api, beside }) {
    Object.assign(this, { model, atlas, client, history: new History(), kept: [] });
    const label = model.labels.length ? 0 : -1;
    this.start = { code: new Float32Array(model.dim), label, place: null };
    this.current = this.start;
    this.stage = element("canvas", { role: "img", "aria-label": "The picture of the current code" });
    this.map = new MapView(this.mapData(), {
      hover: (place) => this.preview(this.pointAt(place)),
      leave: () => this.preview(this.current),
      pick: (place) => this.commit(this.pointAt(place)),
      keep: () => this.keep(this.current),
    });
    this.sliders = new SlidersView(this);
    this.walk = new WalkView(this);
    this.sheet = new SheetView(this);
    this.arithmetic = new ArithmeticView(this);
    this.nearest = training ? new NearestView(this, training) : null;
    this.beside = beside ? new BesideView(this, beside) : null;
    this.own = api ? new OwnView(this, api) : null;
  }

  mapData() {
    const { points, labels, names, thumbnails, plane, held } = this.atlas;
    const { dim, shape } = this.model;
    const origin = project(new Float32Array(dim), dim, plane);
    return { points, labels, names, thumbnails, shape, origin: dim === 1 ? [origin[0], 0] : origin, held };
  }

  mount(root) {
    const { atlas, model } = this;
    const what = atlas.held ? "held-out picture" : "picture that the model drew";
    const share = atlas.plane.share < 0.995 ? ` The plane shows ${Math.round(100 * atlas.plane.share)} % of their spread.` : "";
    root.replaceChildren(
      element(
        "div",
        { class: "left" },
        section("Map", `Each point is the code of a ${what}.${share} Move over the map to see the picture there; click to hold it.`, this.map.root),
        this.walk.root,
        this.arithmetic.root,
        this.sheet.root,
      ),
      element("div", { class: "right" }, this.pictureSection(), ...(this.beside ? [this.beside.root] : []), ...(this.own ? [this.own.root] : []), this.sliders.root, ...(this.nearest ? [this.nearest.root] : [])),
    );
    const given = fromFragment(location.hash, model.dim, model.labels.length);
    if (given) this.restore(given);
    else this.commit(this.pointAt({ x: atlas.points[0], y: atlas.points[1], index: 0 }));
    addEventListener("hashchange", () => {
      const state = fromFragment(location.hash, model.dim, model.labels.length);
      if (state) this.restore(state);
    });
    addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.matches?.("input[type=text],input[type=number]")) return;
      event.preventDefault();
      this.travel(event.shiftKey ? "redo" : "undo");
    });
  }

  restore({ code, label, kept, seed, temperature }) {
    this.kept = kept;
    this.sheet.set(seed, temperature);
    this.walk.update();
    this.arithmetic.update();
    this.commit({ code, label, place: null });
  }

  pictureSection() {
    this.undo = button("↶ Undo", () => this.travel("undo"));
    this.redo = button("↷ Redo", () => this.travel("redo"));
    const parts = [element("div", { class: "stage" }, this.stage)];
    if (this.model.labels.length) parts.push(element("div", { class: "row" }, element("label", {}, "Label", (this.labelSelect = this.labels()))));
    parts.push(
      element(
        "div",
        { class: "row" },
        button("Keep", () => this.keep(this.current), { class: "main", id: "keep" }),
        this.undo,
        this.redo,
        button("Reset", () => this.commit(this.start), { id: "reset" }),
      ),
      element(
        "div",
        { class: "row" },
        button("PNG", () => this.savePng(), { "aria-label": "Save the picture as PNG", id: "png" }),
        button("Code", () => this.saveCode(), { "aria-label": "Save the code as JSON", id: "json" }),
        button("Link", () => this.copyLink(), { "aria-label": "Copy a link to this state", id: "link" }),
      ),
    );
    return section("Picture", "Decoded here, in this page.", ...parts);
  }

  labels() {
    const none = element("option", { value: "-1" }, "none");
    const options = this.model.labels.map((name, i) => element("option", { value: String(i) }, name));
    return element("select", { onchange: (event) => this.commit({ ...this.current, label: Number(event.target.value) }) }, ...options, none);
  }

  /** Return the state of a place on the map. */
  pointAt({ x, y, index }) {
    const { codes, points, plane, modelLabels } = this.atlas;
    const { dim } = this.model;
    const code = index >= 0 ? codes.slice(index * dim, (index + 1) * dim) : codeAt(x, y, plane, codes, points, dim);
    return { code, label: index >= 0 && modelLabels ? modelLabels[index] : this.current.label, place: { x, y } };
  }

  /** Decode a state and show its picture, without changing the current one. */
  async preview(state) {
    this.wanted = state;
    this.beside?.update(state);
    const pictures = await this.decode(state.code, [state.label], "stage");
    if (!pictures) return; // a newer one is on its way
    this.shown = { state, picture: pictures };
    paint(this.stage, pictures, this.model.shape, toRgba, this.model.shape, this.factor());
    this.nearest?.update(pictures);
  }

  /** Make a state the current one, which can be undone. */
  commit(state, keepHistory = false) {
    const place = state.place ?? this.placeOf(state.code);
    this.current = { ...state, place };
    if (!keepHistory) this.history.push(this.current);
    this.undo.disabled = !this.history.canUndo;
    this.redo.disabled = !this.history.canRedo;
    if (this.labelSelect) this.labelSelect.value = String(state.label);
    this.map.mark(place);
    this.sliders.update(this.current.code);
    return this.preview(this.current);
  }

  travel(way) {
    this.commit(this.history[way](), true);
  }

  placeOf(code) {
    const [x, y] = project(code, this.model.dim, this.atlas.plane);
    return { x, y: this.model.dim === 1 ? 0 : y };
  }

  /** Decode codes, with the index of a label each. On a channel only the latest request is answered; others get null. */
  decode(codes, labels, channel = null) {
    const request = { codes, labels };
    return channel ? this.client.latest(channel, "decode", request) : this.client.ask("decode", request);
  }

  keep({ code, label }) {
    this.kept = [...this.kept, { code, label }];
    this.walk.update();
    this.arithmetic.update();
    this.say(`Kept as picture ${this.kept.length}.`);
  }

  drop(index) {
    this.kept = this.kept.filter((_, i) => i !== index);
    this.walk.update();
    this.arithmetic.update();
  }

  /** Return by how much pictures are enlarged on the stage and in files, a whole number. */
  factor() {
    return Math.max(1, Math.floor(320 / Math.max(this.model.shape[0], this.model.shape[1])));
  }

  async savePng() {
    this.stage.toBlob((blob) => download(blob, "picture.png", "image/png"), "image/png");
  }

  saveCode() {
    const { code, label } = this.current;
    const named = label >= 0 ? { label: this.model.labels[label] } : {};
    download(`${JSON.stringify({ latents: [Array.from(code)], ...named })}\n`, "code.json", "application/json");
  }

  async copyLink() {
    const { code, label } = this.current;
    const fragment = toFragment({ code, label, kept: this.kept, ...this.sheet.values() });
    history.replaceState(null, "", fragment);
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The link is copied.");
    } catch {
      this.say("The address bar holds the link.");
    }
  }

  say(text) {
    document.getElementById("status").textContent = text;
  }

  /** Return a button that shows a picture and makes its code the current one. */
  pictureButton({ code, label }, levels, name) {
    const canvas = element("canvas", { "aria-hidden": "true" });
    if (levels) paint(canvas, levels, this.model.shape, toRgba, this.model.shape);
    const made = button(canvas, () => this.commit({ code, label, place: null }), { class: "picture", "aria-label": name });
    return made;
  }
}
