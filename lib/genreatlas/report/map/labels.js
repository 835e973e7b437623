// Minimum scale at which each label is shown, and its position: on its genre, one line above or one line below.
//
// A label has a fixed size on the screen, so two labels that overlap at one scale separate at larger scales. For a pair,
// `partingScale` is the scale from which they no longer overlap. Scales are tried in steps, from the whole map to larger
// ones; at each step labels are considered in order of importance, and a label is shown if it overlaps none of the labels
// shown so far. The result is independent of the view: panning never adds or removes labels, zooming in never removes one,
// and no two labels overlap (Been, Daiches & Yap 2006).

const GROWTH = Math.SQRT2;
const SCALES = 17; // to 256 times the size of the whole map
// Labels are moved off their genre only from this scale, at which one line is a negligible distance.
const MOVED_FROM = 6;
const CELL_X = 96;
const CELL_Y = 24;
const BUCKETS = 1 << 14;

export const NEVER = Infinity;

// x, y: (n,) positions in units of the layout; boxes in pixels; `floor` is the scale at which the whole map is visible.
export function placeLabels({ x, y, shown }, boxes, order, floor) {
  const n = x.length;
  const from = new Float64Array(n).fill(NEVER);
  const shift = new Float64Array(n);
  const heads = new Int32Array(BUCKETS); // places plus 1 in chains of labels that are shown, by the cell of their genre
  const next = new Int32Array(n);
  const widest = boxes.width.reduce((a, b) => Math.max(a, b), 0);
  const highest = boxes.height.reduce((a, b) => Math.max(a, b), 0);
  let waiting = order.filter((genre) => shown[genre]);
  const placed = [];
  for (let step = 0, scale = floor; step < SCALES && waiting.length; step++, scale *= GROWTH) {
    heads.fill(0);
    for (const genre of placed) file(genre, scale);
    for (const lines of step < MOVED_FROM ? [0] : [0, -1, 1]) {
      waiting = waiting.filter((genre) => {
        const moved = lines * boxes.height[genre];
        if (!isFree(genre, moved, scale)) return true;
        from[genre] = scale;
        shift[genre] = moved;
        placed.push(genre);
        file(genre, scale);
        return false;
      });
    }
  }
  return { from, shift };

  function bucket(column, row) {
    return (Math.imul(column, 73856093) ^ Math.imul(row, 19349663)) & (BUCKETS - 1);
  }

  function file(genre, scale) {
    const cell = bucket(Math.floor((x[genre] * scale) / CELL_X), Math.floor((y[genre] * scale) / CELL_Y));
    next[genre] = heads[cell];
    heads[cell] = genre + 1;
  }

  // Labels can overlap at this or a larger scale only if their genres are within reach at this scale.
  function isFree(genre, moved, scale) {
    const reachX = (boxes.width[genre] + widest) / 2;
    const reachY = (boxes.height[genre] + highest) / 2 + Math.abs(moved) + highest;
    const [px, py] = [x[genre] * scale, y[genre] * scale];
    const [right, bottom] = [Math.floor((px + reachX) / CELL_X), Math.floor((py + reachY) / CELL_Y)];
    for (let column = Math.floor((px - reachX) / CELL_X); column <= right; column++) {
      for (let row = Math.floor((py - reachY) / CELL_Y); row <= bottom; row++) {
        for (let other = heads[bucket(column, row)] - 1; other >= 0; other = next[other] - 1) {
          const parts = partingScale(
            Math.abs(x[genre] - x[other]),
            y[genre] - y[other],
            (boxes.width[genre] + boxes.width[other]) / 2,
            (boxes.height[genre] + boxes.height[other]) / 2,
            moved - shift[other],
          );
          if (parts > scale) return false;
        }
      }
    }
    return true;
  }
}

// Two boxes with distance dx, dy of their centres, one of them moved by `moved` pixels, overlap at scale s if dx s < width
// and |dy s + moved| < height (half the sums of both widths and heights). Returns the supremum of these scales, or 0.
export function partingScale(dx, dy, width, height, moved) {
  const sideways = dx > 0 ? width / dx : NEVER;
  if (dy === 0) return Math.abs(moved) < height ? sideways : 0;
  const a = (-height - moved) / dy;
  const b = (height - moved) / dy;
  const begin = Math.max(0, Math.min(a, b));
  const end = Math.min(Math.max(a, b), sideways);
  return end > begin ? end : 0;
}
