// Give a served page one's own pictures: `node own.mjs ADDRESS PICTURE OTHER CHROMIUM SCREENSHOT`. OTHER is no picture.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [, , address, picture, other, executablePath, screenshot] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1440, height: 1400 } })).newPage();
page.setDefaultTimeout(60_000);
const faults = [];
// A refusal is an answer of the server, which Chromium logs as an error of its own.
page.on("console", (message) => ["error", "warning"].includes(message.type()) && !/status of 422/.test(message.text()) && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));
const origin = new URL(address).origin;
page.on("request", (request) => /^(data|blob):/.test(request.url()) || request.url().startsWith(origin) || faults.push(`a request of ${request.url()}`));

await page.goto(address);
await page.waitForSelector("html[data-ready]");
const answer = page.locator("#own-answer");
// Beside it is the same decoder, whose pictures are the same, also after changes.
const pictures = () => page.locator(".stage canvas").evaluateAll((all) => all.map((canvas) => canvas.toDataURL()));
for (const seed of [0, 1]) {
  if (seed) await page.click("#reset");
  await page.waitForTimeout(500);
  const [own, other, ...more] = await pictures();
  assert.equal(own, other);
  assert.deepEqual(more, []);
}
console.log("ok two versions side by side");
const stage = () => page.locator(".stage canvas").first().evaluate((canvas) => canvas.toDataURL());
const before = await stage();
await page.setInputFiles("#own-file", picture);
await answer.locator("table").waitFor();
const text = await answer.innerText();
for (const words of ["as the model sees it", "its reconstruction", "Score (ELBO)", "nats", "How unusual"]) assert.ok(text.includes(words), `${words} in ${text}`);
assert.equal(await answer.locator("img").count(), 2);
await page.waitForTimeout(500);
assert.notEqual(await stage(), before, "the picture's code is not the current one");
console.log("ok a file that is chosen");
await page.screenshot({ path: screenshot });

await page.setInputFiles("#own-file", other);
await answer.locator(".note").waitFor();
assert.match(await answer.innerText(), /cannot be read as a picture/);
console.log("ok a file that is no picture");

const drop = await page.evaluateHandle(async (uri) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([await (await fetch(uri)).blob()], "dropped.png", { type: "image/png" }));
  return transfer;
}, await page.evaluate(() => location.href)); // the page itself: no picture either
await page.dispatchEvent("#own-drop", "drop", { dataTransfer: drop });
await page.waitForFunction(() => document.getElementById("own-answer").innerText.startsWith("dropped.png:"));
console.log("ok a file that is dropped");
assert.deepEqual(faults, []);
await browser.close();
console.log("done");
