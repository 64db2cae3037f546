// What is said of one's own picture.

const nats = (value) => `${value.toFixed(2)} nats`;

/**
 * Return the rows of a table about a picture: a name and a value each.
 * @param {{elbo: number, reconstruction_term: number, kl: number, unusual: number | null, label: string | null}} found from the server
 */
export function describeOwn({ elbo, reconstruction_term: reconstruction, kl, unusual, label }) {
  const rows = [["Score (ELBO)", nats(elbo)], ["Reconstruction term", nats(reconstruction)], ["KL divergence", nats(kl)], ["How unusual", howUnusual(unusual)]];
  return label === null ? rows : [["Label that the model finds", label || "none"], ...rows];
}

/** Return the share of held-out pictures with a higher score in words; null if it is not known. */
export function howUnusual(share) {
  if (share === null) return "not recorded by this model: train it anew";
  const percent = Math.round(100 * share);
  if (percent >= 100) return "lower than every held-out picture: probably of another kind";
  if (percent >= 95) return `unusual: ${percent} % of held-out pictures score higher`;
  return `usual: ${percent} % of held-out pictures score higher`;
}
