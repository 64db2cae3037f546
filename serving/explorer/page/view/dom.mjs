// Elements without markup: text is always text.

/** Create an element: attributes, `on...` listeners, and children, which are elements or text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const button = (label, act, attributes = {}) => element("button", { type: "button", onclick: act, ...attributes }, label);

/** Save a file under a name. */
export function download(content, name, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Draw a picture's levels into a canvas, whose size is set. */
export function paint(canvas, levels, [height, width], toRgba, shape, factor = 1) {
  canvas.width = width * factor;
  canvas.height = height * factor;
  canvas.getContext("2d").putImageData(new ImageData(toRgba(levels, shape, factor), width * factor, height * factor), 0, 0);
}

/** Create a section with a title and a sentence. */
export function section(title, hint, ...parts) {
  const id = `title-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return element("section", { "aria-labelledby": id }, element("h2", { id }, title), hint ? element("p", { class: "hint" }, hint) : "", ...parts);
}
