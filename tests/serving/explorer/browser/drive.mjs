// Use every control of a page in a browser: `node drive.mjs PAGE FOLDER CHROMIUM`. Files that the page saves go to FOLDER.
// It ends with an error at the first control that does not do what it says, and on errors or requests of the page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [, , file, folder, executablePath] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, acceptDownloads: true, offline: true });
const page = await context.newPage();
page.setDefaultTimeout(60_000);
const faults = [];
page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));
page.on("request", (request) => /^(file|data|blob):/.test(request.url()) || faults.push(`a request of ${request.url()}`));

async function open(url) {
  await page.goto("about:blank");
  await page.goto(url);
  await page.waitForSelector("html[data-ready]");
  await settled();
}
/** Wait until the sheet is drawn and the picture no longer changes. */
async function settled() {
  await page.waitForSelector('#sheet[aria-busy="false"]');
  let before = "";
  for (;;) {
    await page.waitForTimeout(120);
    const now = await picture();
    if (now === before) return now;
    before = now;
  }
}
const picture = () => page.locator(".stage canvas").evaluate((canvas) => canvas.toDataURL());
const mapPicture = () => map.evaluate((canvas) => canvas.toDataURL());
async function save(selector, name) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  await download.saveAs(join(folder, name ?? download.suggestedFilename()));
  return join(folder, name ?? download.suggestedFilename());
}
const state = async (name = "code.json") => JSON.parse(readFileSync(await save("#json", name), "utf8"));
async function changes(what, read, act) {
  const before = await read();
  await act();
  await settled();
  await page.waitForTimeout(100);
  assert.notEqual(await read(), before, `${what} changes nothing`);
  console.log(`ok ${what}`);
}
async function setRange(selector, value, event = "change") {
  await page.locator(selector).first().evaluate((input, [to, name]) => {
    input.value = to;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    if (name === "change") input.dispatchEvent(new Event("change", { bubbles: true }));
  }, [String(value), event]);
}

const url = pathToFileURL(file).href;
await open(url);
const map = page.locator(".map canvas");
const box = await map.boundingBox();
const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];

// The map.
const first = await settled();
await changes("the pointer over the map", picture, () => page.mouse.move(...at(0.7, 0.4)));
await page.mouse.move(5, 5);
await settled();
assert.equal(await picture(), first, "leaving the map shows the held picture again");
await changes("a click on the map", async () => (await state()).latents[0].join(), () => page.mouse.click(...at(0.3, 0.6)));
await changes("the wheel", mapPicture, async () => {
  await page.mouse.move(...at(0.5, 0.5));
  await page.mouse.wheel(0, -400);
});
await changes("a drag", mapPicture, async () => {
  await page.mouse.move(...at(0.5, 0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.6, 0.6), { steps: 4 });
  await page.mouse.up();
});
for (const name of ["Zoom in", "Zoom out", "Show all", "Show pictures on the map"]) await changes(name, mapPicture, () => page.click(`[aria-label="${name}"]`));
await changes("a label of the legend", mapPicture, () => page.locator(".legend button").first().click());
await page.locator(".legend button").first().click();
await map.focus();
await changes("an arrow key", async () => (await state()).latents[0].join(), async () => {
  await map.focus();
  await page.keyboard.press("Shift+ArrowRight");
});

// Undo, redo, reset, sliders.
const here = await picture();
await changes("a slider", picture, () => setRange(".sliders input", 2.5));
await changes("undo", picture, () => page.getByRole("button", { name: "Undo" }).click());
assert.equal(await picture(), here);
await changes("redo", picture, () => page.getByRole("button", { name: "Redo" }).click());
await changes("Ctrl+Z", picture, () => page.keyboard.press("Control+z"));
await changes("reset", picture, () => page.click("#reset"));
assert.ok((await state()).latents[0].every((value) => value === 0), "reset is the middle of the prior");

// A conditional model's label.
const label = page.getByLabel("Label", { exact: true }).first();
if (await label.count()) {
  await changes("the label", picture, () => label.selectOption({ index: 1 }));
  assert.equal((await state()).label, await label.evaluate((select) => select.selectedOptions[0].textContent));
}

// New pictures.
const sheet = async () => JSON.stringify(await page.locator("#sheet canvas").evaluateAll((all) => all.map((canvas) => canvas.toDataURL())));
await changes("the next seed", sheet, () => page.click("#next"));
assert.equal(await page.inputValue("#seed"), "8");
await changes("the temperature", sheet, () => setRange("#temperature", 0.4));
if (await page.locator("#sheet-label").count()) await changes("the label of new pictures", sheet, () => page.selectOption("#sheet-label", { index: 2 }));
await changes("a new picture", picture, () => page.locator("#sheet button").nth(3).click());

// Kept pictures, walks and arithmetic.
await page.click("#keep");
await page.locator("#sheet button").nth(5).click();
await page.click("#keep");
await page.locator("#sheet button").nth(7).click();
await map.focus();
await page.keyboard.press("Enter");
await page.waitForSelector('[aria-label="Kept picture 3"]');
await changes("the scrubber", picture, () => setRange('[aria-label="Place of the walk"]', 0.5));
await changes("play", () => page.inputValue('[aria-label="Place of the walk"]'), async () => {
  await page.click("#play");
  await page.waitForTimeout(700);
  await page.click("#play");
});
await changes("the loop", () => page.getAttribute('[aria-label="Place of the walk"]', "max"), () => page.check("#loop"));
await save("#gif", "walk.gif");
const code = async () => (await state()).latents[0].join();
await changes("average", code, () => page.click("#average"));
await page.getByLabel("minus", { exact: true }).selectOption("1");
await changes("arithmetic", code, () => page.click("#equals"));
await page.click('[aria-label="Remove kept picture 2"]');
await page.waitForSelector('[aria-label="Kept picture 3"]', { state: "detached" });

// Files and links.
await save("#png", "picture.png");
const last = await state("last.json");
await page.click("#link");
const linked = page.url();
const shown = await settled();
await changes("another state", picture, () => page.click("#reset"));
await open(linked);
assert.equal(await settled(), shown, "the link restores the picture");
assert.deepEqual((await state()).latents, last.latents);
await page.waitForSelector('[aria-label="Kept picture 2"]');
assert.ok((await page.locator("#nearest canvas").count()) >= 3, "there are nearest training pictures");

// Every width and both themes; names of data are text.
for (const [width, theme] of [[360, "light"], [768, "dark"], [1440, "light"]]) {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: theme });
  await page.waitForTimeout(200);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `nothing is wider than ${width} pixels`);
  await page.screenshot({ path: join(folder, `${width}.png`), fullPage: true });
}
await page.setViewportSize({ width: 1440, height: 900 });
await changes("the theme", () => page.evaluate(() => getComputedStyle(document.body).backgroundColor), () => page.click("#theme"));
assert.equal(await page.evaluate(() => document.querySelectorAll("main script, main b").length), 0, "labels are text");
const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select")].filter((one) => !(one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim())).length);
assert.equal(unnamed, 0, "every control has a name");
assert.deepEqual(faults, []);
await browser.close();
console.log("done");
