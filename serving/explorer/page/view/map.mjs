// The map: codes of pictures on a plane. The pointer walks over it; a drag or two fingers move it; the wheel zooms.

import { fit, toPlane, toScreen, visible, zoom } from "../logic/camera.mjs";
import { colorOf } from "../logic/colors.mjs";
import { nearest } from "../logic/plane.mjs";
import { button, element } from "./dom.mjs";

const THUMBNAIL = 38; // pixels on the screen
const SNAP = 9; // pixels: nearer to a point, the pointer shows that point's own code
const STEP = 12; // pixels of an arrow key
const MARGIN = 40; // pixels around all points: half of it for a thumbnail at the edge

export class MapView {
  /**
   * @param {{points: Float32Array, labels: number[], names: string[], thumbnails: CanvasImageSource[]}} data
   * @param {{hover: Function, pick: Function, leave: Function, say: Function}} on called with ({x, y, index}): a place, and the
   *   point that it is on, or -1
   */
  constructor(data, on) {
    Object.assign(this, { data, on, hidden: new Set(), pointers: new Map(), cursor: null, marker: null, pictures: true });
    this.canvas = element("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": "Map of the latent space. Arrow keys walk, plus and minus zoom, Enter keeps the place.",
    });
    const tools = element(
      "div",
      { class: "tools" },
      button("+", () => this.zoomBy(1.5), { "aria-label": "Zoom in" }),
      button("−", () => this.zoomBy(1 / 1.5), { "aria-label": "Zoom out" }),
      button("⤢", () => this.reset(), { "aria-label": "Show all" }),
      (this.toggle = button("▦", () => this.togglePictures(), { "aria-label": "Show pictures on the map", "aria-pressed": "true" })),
    );
    this.root = element("div", {}, element("div", { class: "map" }, this.canvas, tools), this.legend());
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.request());
  }

  legend() {
    const { names, labels } = this.data;
    const list = element("ul", { class: "legend", "aria-label": "Labels" });
    names.forEach((name, label) => {
      const count = labels.reduce((sum, one) => sum + (one === label), 0);
      const swatch = element("i");
      swatch.style.background = colorOf(label);
      const item = button(swatch, () => this.filter(label, item), { "aria-pressed": "true", title: `${count} pictures` });
      item.append(name);
      list.append(element("li", {}, item));
    });
    return list;
  }

  filter(label, item) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
    item.setAttribute("aria-pressed", String(!this.hidden.has(label)));
    this.request();
  }

  togglePictures() {
    this.pictures = !this.pictures;
    this.toggle.setAttribute("aria-pressed", String(this.pictures));
    this.request();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const first = !this.camera;
    Object.assign(this, { width, height, ratio });
    if (first) this.reset();
    else this.request();
  }

  reset() {
    this.camera = fit(this.data.points, this.width - MARGIN, this.height - MARGIN);
    this.usual = this.camera.scale;
    this.request();
  }

  zoomBy(factor, sx = this.width / 2, sy = this.height / 2) {
    this.camera = zoom(this.camera, this.width, this.height, sx, sy, factor, this.usual / 4, this.usual * 60);
    this.request();
  }

  /** Mark a place as that of the current picture; null for none. */
  mark(place) {
    this.marker = place;
    this.request();
  }

  request() {
    if (this.asked || !this.camera) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  /** Draw the points from a layer that is kept until they change, and over it the places of pointer and picture. */
  draw() {
    const { camera, width, height, ratio, hidden, pictures } = this;
    const style = getComputedStyle(this.canvas);
    const line = style.getPropertyValue("--line");
    const key = [camera.x, camera.y, camera.scale, width, height, ratio, pictures, line, ...hidden].join();
    if (key !== this.drawn) {
      this.drawn = key;
      this.layer ??= document.createElement("canvas");
      Object.assign(this.layer, { width: this.canvas.width, height: this.canvas.height });
      this.drawPoints(this.layer.getContext("2d"), line);
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.layer, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.marker) this.cross(context, this.marker, style.getPropertyValue("--accent"), 9);
    if (this.cursor) this.cross(context, this.cursor, style.getPropertyValue("--ink"), 5);
  }

  drawPoints(context, line) {
    const { camera, width, height, ratio } = this;
    const { points, labels, thumbnails } = this.data;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.rings(context, line);
    const shown = (i) => !this.hidden.has(labels[i]);
    const size = Math.min(Math.max(2.2 * Math.sqrt(camera.scale / this.usual), 2), 6);
    for (let i = 0; i < labels.length; i++) {
      if (!shown(i)) continue;
      const [x, y] = toScreen(camera, width, height, points[2 * i], points[2 * i + 1]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      context.fillStyle = colorOf(labels[i]);
      context.fillRect(x - size / 2, y - size / 2, size, size);
    }
    if (this.pictures && thumbnails) this.drawThumbnails(context, shown);
  }

  drawThumbnails(context, shown) {
    const { camera, width, height } = this;
    const { points, labels, thumbnails, shape } = this.data;
    const { chosen, size: cell } = visible(points, camera, width, height, THUMBNAIL * 1.35, shown);
    const side = Math.min(cell * 0.78, 96);
    const [tall, wide] = shape[0] >= shape[1] ? [side, (side * shape[1]) / shape[0]] : [(side * shape[0]) / shape[1], side];
    context.imageSmoothingEnabled = side < shape[0];
    for (const i of chosen) {
      const [x, y] = toScreen(camera, width, height, points[2 * i], points[2 * i + 1]);
      context.fillStyle = colorOf(labels[i]);
      context.fillRect(x - wide / 2 - 1.5, y - tall / 2 - 1.5, wide + 3, tall + 3);
      thumbnails.draw(context, i, x - wide / 2, y - tall / 2, wide, tall);
    }
  }

  /** The standard deviations of the prior. */
  rings(context, color) {
    context.strokeStyle = color;
    context.lineWidth = 1;
    for (const radius of [1, 2, 3]) {
      const [x, y] = toScreen(this.camera, this.width, this.height, this.data.origin[0], this.data.origin[1]);
      context.beginPath();
      context.arc(x, y, radius * this.camera.scale, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  cross(context, place, color, radius) {
    const [x, y] = toScreen(this.camera, this.width, this.height, place.x, place.y);
    context.strokeStyle = color;
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Return the place under a point of the screen, and the nearest shown point if it is close. */
  at(sx, sy) {
    const [x, y] = toPlane(this.camera, this.width, this.height, sx, sy);
    const [first] = nearest(this.data.points, x, y, 1);
    const near = first && first.distance * this.camera.scale < SNAP && !this.hidden.has(this.data.labels[first.index]);
    return near ? { x: this.data.points[2 * first.index], y: this.data.points[2 * first.index + 1], index: first.index } : { x, y, index: -1 };
  }

  listen() {
    const { canvas } = this;
    const place = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.moved = 0;
      if (event.pointerType === "touch" && this.pointers.size === 1) this.hover(...place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      const now = place(event);
      if (!before) return this.hover(...now);
      this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (this.pointers.size === 2) this.pinch(event.pointerId, now);
      else if (event.pointerType === "touch") this.hover(...now);
      else if (this.moved > 4) this.pan(now[0] - before[0], now[1] - before[1]);
      this.pointers.set(event.pointerId, now);
    });
    const end = (event) => {
      const had = this.pointers.delete(event.pointerId);
      canvas.classList.remove("dragging");
      const touch = event.pointerType === "touch";
      if (had && event.type === "pointerup" && !this.pinched && (touch || this.moved <= 4)) this.on.pick(this.at(...place(event)));
      if (!this.pointers.size) this.pinched = false;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...place(event));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  hover(sx, sy) {
    this.cursor = this.at(sx, sy);
    this.on.hover(this.cursor);
    this.request();
  }

  leave() {
    this.cursor = null;
    this.on.leave();
    this.request();
  }

  pan(dx, dy) {
    this.canvas.classList.add("dragging");
    this.camera = { ...this.camera, x: this.camera.x - dx / this.camera.scale, y: this.camera.y + dy / this.camera.scale };
    this.request();
  }

  pinch(id, now) {
    this.pinched = true;
    const before = this.pointers.get(id);
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const distance = (a) => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.zoomBy(distance(now) / distance(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (steps[event.key]) {
      const from = this.marker ?? { x: this.camera.x, y: this.camera.y };
      const far = ((event.shiftKey ? 4 : 1) * STEP) / this.camera.scale;
      this.on.pick({ x: from.x + steps[event.key][0] * far, y: from.y + steps[event.key][1] * far, index: -1 });
    } else if (event.key === "+" || event.key === "=") this.zoomBy(1.3);
    else if (event.key === "-") this.zoomBy(1 / 1.3);
    else if (event.key === "0") this.reset();
    else if (event.key === "Enter") this.on.keep();
    else return;
    event.preventDefault();
  }
}
