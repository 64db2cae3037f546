// From a likelihood's parameters to the levels of a picture: the mean E[x|z], or the mode.

/** Return 8-bit levels of pixels in [0, 1], rounded to even as TensorFlow rounds. */
export function toLevels(pixels, out) {
  for (let i = 0; i < pixels.length; i++) {
    const value = Math.fround(255 * Math.min(Math.max(pixels[i], 0), 1));
    let level = Math.floor(value + 0.5);
    if (level - value === 0.5 && level % 2) level -= 1;
    out[i] = level;
  }
  return out;
}

/**
 * Return the function that converts parameters to pixels in [0, 1].
 * @param {{likelihood: string, show: string, mixtures?: number}} pixels from the program
 * @param {number} channels of the pictures
 */
export function pixelsOf({ likelihood, show, mixtures }, channels) {
  if (likelihood === "bernoulli" || likelihood === "gaussian") return (parameters) => parameters.map((t) => 1 / (1 + Math.exp(-t)));
  if (likelihood === "continuous_bernoulli") return (parameters) => parameters.map(meanOfLogit);
  if (likelihood === "discretized_logistic_mixture") return (parameters) => logisticMeans(parameters, channels, mixtures, show === "mode");
  throw new Error(`the decoder has a likelihood that this page does not know: ${likelihood}`);
}

/** The mean of a continuous Bernoulli: 1 / (1 - e^-t) - 1 / t, by its series near 0. */
function meanOfLogit(t) {
  if (Math.abs(t) < 0.3) {
    const square = t * t;
    return 1 / 2 + t * (1 / 12 - square * (1 / 720 - square * (1 / 30240 - square / 1209600)));
  }
  return -1 / Math.expm1(-t) - 1 / t;
}

const LOG_PRECISION_AT_ZERO = 2;
const MIN_LOG_PRECISION = -5;
const MAX_LOG_PRECISION = 7;

const softplus = (x) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));

/**
 * Means of mixtures of K logistics, clipped to the range; see `DiscretizedLogisticMixture.mean` and `mode`.
 * A pixel's parameters are K logits, then K means, K log-precisions and K couplings for each channel or pair of channels.
 */
function logisticMeans(parameters, channels, mixtures, mode) {
  const width = mixtures * (1 + 2 * channels + (channels * (channels - 1)) / 2);
  const pixels = new Float32Array((parameters.length / width) * channels);
  const weights = new Float64Array(mixtures);
  const means = new Float64Array(channels);
  for (let at = 0, to = 0; at < parameters.length; at += width, to += channels) {
    weigh(parameters, at, mixtures, mode, weights);
    for (let k = 0; k < mixtures; k++) {
      if (weights[k] === 0) continue;
      for (let c = 0; c < channels; c++) {
        let mean = parameters[at + mixtures * (1 + c) + k];
        const pairs = at + mixtures * (1 + 2 * channels + (c * (c - 1)) / 2) + k;
        for (let i = 0; i < c; i++) mean += Math.tanh(parameters[pairs + mixtures * i]) * means[i];
        const logPrecision = parameters[at + mixtures * (1 + channels + c) + k] + LOG_PRECISION_AT_ZERO;
        const scale = Math.exp(-Math.min(Math.max(logPrecision, MIN_LOG_PRECISION), MAX_LOG_PRECISION));
        means[c] = scale * (softplus((mean + 1) / scale) - softplus((mean - 1) / scale)) - 1;
        pixels[to + c] += weights[k] * means[c];
      }
    }
    for (let c = 0; c < channels; c++) pixels[to + c] = 0.5 + 0.5 * pixels[to + c];
  }
  return pixels;
}

/** Set the weights of a pixel's components: softmax of the logits, or 1 for the largest. */
function weigh(parameters, at, mixtures, mode, weights) {
  let largest = 0;
  for (let k = 1; k < mixtures; k++) if (parameters[at + k] > parameters[at + largest]) largest = k;
  if (mode) {
    weights.fill(0);
    weights[largest] = 1;
    return;
  }
  let total = 0;
  for (let k = 0; k < mixtures; k++) total += weights[k] = Math.exp(parameters[at + k] - parameters[at + largest]);
  for (let k = 0; k < mixtures; k++) weights[k] /= total;
}
