// From which scale on each label is shown, and whether it stands on its genre, one line above or one line below.
//
// A label keeps its size on the screen, so two labels that touch at one scale part as the map grows. For a pair, `parts`
// is the scale from which on they never touch again. Labels are placed in order of importance: a label is shown from
// the largest scale at which it still touches a more important one. It depends on no view: panning never makes a label
// come or go, zooming in never takes one away, and no two labels touch in any view (Been, Daiches & Yap 2006).

const CELL_X = 64;
const CELL_Y = 20;
// A label leaves its genre only where that shows it at less than this share of the scale.
const WORTH = 0.6;

export const NEVER = Infinity;

// (n,) places in units of the layout, and boxes in pixels; `floor` is the scale at which the whole map is seen.
export function placeLabels({ x, y, shown, width, height }, boxes, order, floor) {
  const n = x.length;
  const from = new Float64Array(n).fill(NEVER);
  const shift = new Float64Array(n);
  const columns = Math.ceil((width * floor) / CELL_X) + 1;
  const rows = Math.ceil((height * floor) / CELL_Y) + 1;
  const cells = Array.from({ length: columns * rows }, () => []);
  const widest = boxes.width.reduce((a, b) => Math.max(a, b), 0);
  const highest = boxes.height.reduce((a, b) => Math.max(a, b), 0);
  const candidates = [];
  for (const genre of order) {
    if (!shown[genre]) continue;
    const reachX = (boxes.width[genre] + widest) / 2;
    const reachY = (boxes.height[genre] + highest) / 2 + boxes.height[genre] + highest;
    const left = Math.max(0, Math.floor((x[genre] * floor - reachX) / CELL_X));
    const right = Math.min(columns - 1, Math.floor((x[genre] * floor + reachX) / CELL_X));
    const top = Math.max(0, Math.floor((y[genre] * floor - reachY) / CELL_Y));
    const bottom = Math.min(rows - 1, Math.floor((y[genre] * floor + reachY) / CELL_Y));
    candidates.length = 0;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) candidates.push(...cells[row * columns + column]);
    }
    for (const step of [0, -1, 1]) {
      const shown = firstScale(genre, step * boxes.height[genre]);
      if (step === 0 || shown < WORTH * from[genre]) {
        from[genre] = shown;
        shift[genre] = step * boxes.height[genre];
      }
      if (from[genre] <= floor) break;
    }
    const cell = Math.floor((y[genre] * floor) / CELL_Y) * columns + Math.floor((x[genre] * floor) / CELL_X);
    cells[cell].push(genre);
  }
  return { from, shift };

  function firstScale(genre, moved) {
    let scale = 0;
    for (const other of candidates) {
      const parts = partingScale(
        Math.abs(x[genre] - x[other]),
        y[genre] - y[other],
        (boxes.width[genre] + boxes.width[other]) / 2,
        (boxes.height[genre] + boxes.height[other]) / 2,
        moved - shift[other],
      );
      if (parts > scale && from[other] < parts) scale = parts;
    }
    return scale;
  }
}

// Boxes of `width` and `height` (halves of both summed) whose centres lie dx, dy apart, one moved by `moved` pixels,
// touch at scale s where dx s < width and |dy s + moved| < height. The upper end of these scales, 0 where there are none.
export function partingScale(dx, dy, width, height, moved) {
  const sideways = dx > 0 ? width / dx : NEVER;
  if (dy === 0) return Math.abs(moved) < height ? sideways : 0;
  const a = (-height - moved) / dy;
  const b = (height - moved) / dy;
  const begin = Math.max(0, Math.min(a, b));
  const end = Math.min(Math.max(a, b), sideways);
  return end > begin ? end : 0;
}
