// Positions of genres: on a lens, by two measures, or in the tree. Every layout is a plane of `width` by `height` whose
// longer side is 1 (the tree is taller), with y downward.
import { ranksOf } from "./data.js";

// Thresholds of instability, in radii of the map, from which a genre is drawn fainter.
const STRAYS = [0.05, 0.1, 0.2];
const FAINT = [1, 0.8, 0.62, 0.45];

// Ends of the tree's axis, with margins for the labels of the first and last genres.
const LEFT = 0.13;
const RIGHT = 0.92;

export function faintness(strays) {
  return FAINT[STRAYS.filter((step) => strays !== null && strays > step).length];
}

export function lensLayout(data, number) {
  const lens = data.lenses[number];
  if (!lens) return { ...emptyLayout(data, 1, 0.75), ends: [null, null], note: "" };
  const layout = emptyLayout(data, lens.width, lens.height);
  for (let genre = 0; genre < data.n; genre++) {
    if (lens.x[genre] === null) continue;
    layout.shown[genre] = 1;
    layout.x[genre] = lens.x[genre] / 30000;
    layout.y[genre] = lens.y[genre] / 30000;
    if (lens.strays) layout.alpha[genre] = faintness(lens.strays[genre]);
  }
  return { ...layout, ends: [lens.xEnds, lens.yEnds], note: lens.note };
}

export function measureLayout(data, across, down) {
  const layout = emptyLayout(data, 1, 0.75);
  const [x, y] = [ranksOf(data, across), ranksOf(data, down)];
  for (let genre = 0; genre < data.n; genre++) {
    if (Number.isNaN(x[genre]) || Number.isNaN(y[genre])) continue;
    layout.shown[genre] = 1;
    layout.x[genre] = x[genre];
    layout.y[genre] = 0.75 * (1 - y[genre]);
  }
  const ends = (measure) => [`low ${data.measures[measure].title}`, `high ${data.measures[measure].title}`];
  const note = "Genres are placed by rank: half of them are left of the middle.";
  return { ...layout, ends: [ends(across), ends(down).reverse()], note };
}

// Vertical: families are bands, large families first. Horizontal: the year, or the generation if no years are known. A
// genre without a year is placed next to its parent and drawn faint.
export function treeLayout(data) {
  const dated = data.years.some((year) => year !== null);
  // Thousands of rows need a taller plane.
  const layout = emptyLayout(data, 1, Math.min(1.1, Math.max(0.75, data.n / 3000)));
  const family = familySizes(data);
  const depth = new Int32Array(data.n);
  const order = [];
  const stack = roots(data).sort((a, b) => family[a] - family[b]);
  const seen = new Uint8Array(data.n);
  while (stack.length) {
    const genre = stack.pop();
    if (seen[genre]) continue;
    seen[genre] = 1;
    order.push(genre);
    for (const child of [...data.children[genre]].sort((a, b) => family[a] - family[b])) {
      depth[child] = depth[genre] + 1;
      stack.push(child);
    }
  }
  const years = data.years.filter((year) => year !== null);
  const from = dated ? Math.floor(Math.min(...years) / 10) * 10 : 0;
  const to = dated ? Math.max(from + 10, Math.ceil((Math.max(...years) + 1) / 10) * 10) : Math.max(1, ...depth);
  const at = new Float64Array(data.n);
  order.forEach((genre, row) => {
    const parent = data.parent[genre];
    const known = dated && data.years[genre] !== null;
    at[genre] = known ? data.years[genre] : dated ? (parent >= 0 ? at[parent] + 0.01 * (to - from) : from) : depth[genre];
    layout.shown[genre] = 1;
    layout.alpha[genre] = known || !dated ? 1 : 0.62;
    layout.x[genre] = LEFT + ((RIGHT - LEFT) * (Math.min(at[genre], to) - from)) / (to - from);
    layout.y[genre] = (layout.height * (row + 0.5)) / order.length;
  });
  const note = "Genres are placed by the year of their first songs; those without a year are at the left and faint.";
  const axis = dated ? { from, to, left: LEFT, right: RIGHT } : null;
  return { ...layout, ends: dated ? [null, null] : [["roots", "youngest generation"], null], tree: true, axis, note };
}

function roots(data) {
  return data.parent.flatMap((parent, genre) => (parent < 0 ? [genre] : []));
}

function familySizes(data) {
  const size = new Int32Array(data.n).fill(1);
  const order = roots(data);
  for (let i = 0; i < order.length; i++) order.push(...data.children[order[i]]);
  for (let i = order.length - 1; i >= 0; i--) {
    if (data.parent[order[i]] >= 0) size[data.parent[order[i]]] += size[order[i]];
  }
  return size;
}

function emptyLayout(data, width, height) {
  return {
    x: new Float64Array(data.n),
    y: new Float64Array(data.n),
    shown: new Uint8Array(data.n),
    alpha: new Float64Array(data.n).fill(1),
    width,
    height,
  };
}
