// `node measure.mjs URL MOVES CHROMIUM`: move the pointer over the map, and wait for the picture each time.

import { chromium } from "playwright-core";

const [, , url, moves, executablePath] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
const begin = performance.now();
await page.goto(url);
await page.waitForSelector("html[data-ready]", { timeout: 120_000 });
const start = performance.now() - begin;
await page.waitForSelector('#sheet[aria-busy="false"]', { timeout: 120_000 });
const times = await page.evaluate(async (count) => {
  const [map, stage] = [".map canvas", ".stage canvas"].map((selector) => document.querySelector(selector));
  const { left, top, width, height } = map.getBoundingClientRect();
  const measured = [];
  for (let i = 0; i < count; i++) {
    // Painting a picture sets the size of its canvas, which can be observed.
    const painted = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        resolve();
      });
      observer.observe(stage, { attributes: true });
    });
    const place = { clientX: left + width * (0.2 + 0.6 * ((i * 0.618) % 1)), clientY: top + height * (0.2 + 0.6 * ((i * 0.414) % 1)) };
    const from = performance.now();
    map.dispatchEvent(new PointerEvent("pointermove", { ...place, pointerType: "mouse", bubbles: true }));
    await painted;
    measured.push(performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return measured.sort((a, b) => a - b);
}, Number(moves));
const at = (share) => times[Math.min(Math.floor(share * times.length), times.length - 1)].toFixed(1);
console.log(`page to its first picture: ${(start / 1000).toFixed(2)} s`);
console.log(`pointer to picture, ${times.length} moves: median ${at(0.5)} ms, 95 % within ${at(0.95)} ms, all within ${at(1)} ms`);
await browser.close();
