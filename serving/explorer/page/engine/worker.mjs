// The worker's side: a model, and answers to requests by number.

import { Model } from "./model.mjs";
import { fromBase64 } from "./weights.mjs";

const PIECE = 8; // pictures decoded between two looks at the other requests

/** Answer the messages of `Client`. `port` is the worker's global object, or a stand-in without a worker. */
export function serve(port) {
  let model = null;
  port.onmessage = async ({ data: { id, kind, request } }) => {
    try {
      if (kind === "load") {
        model = new Model(request.program, fromBase64(request.weights));
        port.postMessage({ id, answer: { dim: model.dim } });
      } else if (kind === "decode") {
        port.postMessage({ id, answer: model.decode(request.codes, model.labels.length ? model.sharesOf(request.labels) : null) });
      } else if (kind === "draw") {
        port.postMessage({ id, answer: draw(model, request) });
      }
    } catch (error) {
      port.postMessage({ id, error: String(error.message ?? error) });
    }
  };
}

/** Draw and decode the codes from `first` on, as many as take little time, so that a page can show them as they come. */
function draw(model, { count, seed, temperature, label, first }) {
  const last = Math.min(count, first + (model.density.slow ? 1 : PIECE));
  const { codes, labels } = model.draw({ count, seed: BigInt(seed), temperature, label, first, last });
  return { codes, labels, last, pictures: model.decode(codes, labels && model.sharesOf(labels)) };
}
