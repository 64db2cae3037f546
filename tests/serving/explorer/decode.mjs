// Decode codes with programs: `node decode.mjs FOLDER...`. Each folder has program/, codes.f32 and perhaps shares.f32, and gets
// pictures.u8. With request.json in a folder, new codes are drawn in place of codes.f32, and written to drawn.f32.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Model } from "../../../serving/explorer/page/engine/model.mjs";

const floats = (file) => (existsSync(file) ? new Float32Array(new Uint8Array(readFileSync(file)).buffer) : null);

for (const folder of process.argv.slice(2)) {
  const program = JSON.parse(readFileSync(join(folder, "program", "program.json"), "utf8"));
  const model = new Model(program, new Uint8Array(readFileSync(join(folder, "program", "weights.bin"))));
  let codes = floats(join(folder, "codes.f32"));
  let shares = floats(join(folder, "shares.f32"));
  const request = join(folder, "request.json");
  if (existsSync(request)) {
    const drawn = model.draw(JSON.parse(readFileSync(request, "utf8")));
    codes = drawn.codes;
    shares = drawn.labels && model.sharesOf(drawn.labels);
    writeFileSync(join(folder, "drawn.f32"), codes);
  }
  writeFileSync(join(folder, "pictures.u8"), model.decode(codes, shares));
}
