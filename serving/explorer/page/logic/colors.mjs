// Colors of labels: readable on light and on dark paper.

const COLORS = ["#e4572e", "#2e9cca", "#f2a33a", "#5fb25f", "#b07aa1", "#d4679a", "#8c7a6b", "#3fa796", "#7a7fd1", "#c9a227", "#a05195", "#6b9080"];
export const NONE = "#9a9088";

/** Return the color of a label's index; without labels -1. More labels than colors share them. */
export const colorOf = (label) => (label < 0 ? NONE : COLORS[label % COLORS.length]);
