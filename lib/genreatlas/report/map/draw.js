// Draws one frame on the canvas.

const SANS = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const SERIF = '"Iowan Old Style", "Palatino Linotype", Palatino, Charter, Georgia, serif';
// Font sizes of labels in pixels, by class of the number of songs.
const SIZES = [11.5, 13, 15, 18];
const SHARES = [0, 0.6, 0.88, 0.975];
// Candidate positions of a region's name, in half widths and line heights from its centre, nearest first.
const BESIDE = [0, -1, 1, -2, 2, -3, 3].flatMap((down) => [0, -0.6, 0.6, -1.2, 1.2].map((across) => [across, down]))
  .sort((a, b) => Math.hypot(...a) - Math.hypot(...b));
// With fewer genres than this there is room for large labels, and all are visible at once.
export const FEW = 60;
const PAD_X = 4;
const PAD_Y = 1;
const LONGEST = 40;
const YEARS_HIGH = 24;
const ALPHA_OF_OTHERS = 0.32;

// Classes and boxes of labels: they depend on names and sizes, not on the layout.
export function measureLabels(data, context) {
  const bySize = data.sizes.map((_, genre) => genre).sort((a, b) => data.sizes[b] - data.sizes[a] || a - b);
  const size = new Uint8Array(data.n);
  const most = data.sizes[bySize[0]];
  const middle = data.sizes[bySize[data.n >> 1]];
  bySize.forEach((genre, place) => {
    const share = 1 - place / data.n;
    if (data.n < FEW) size[genre] = data.sizes[genre] >= 2 * Math.max(middle, 1) ? 3 : 2;
    else size[genre] = most > data.sizes[bySize[data.n - 1]] ? SHARES.filter((from) => share > from).length - 1 : 0;
  });
  const texts = data.names.map((name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name));
  const width = new Float64Array(data.n);
  const height = new Float64Array(data.n);
  for (let step = 0; step < SIZES.length; step++) {
    context.font = fontOf(step);
    for (let genre = 0; genre < data.n; genre++) {
      if (size[genre] !== step) continue;
      width[genre] = Math.ceil(context.measureText(texts[genre]).width) + 2 * PAD_X;
      height[genre] = Math.ceil(SIZES[step] * 1.2) + 2 * PAD_Y;
    }
  }
  return { order: bySize, size, texts, width, height };
}

function fontOf(step) {
  return `${step === 3 ? "600 " : ""}${SIZES[step]}px ${SANS}`;
}

// Order in which genres are painted, so that font and colour change rarely.
export function paintOrder(labels, colour) {
  const key = (genre) => labels.size[genre] * 65536 + colour[genre];
  return Int32Array.from(labels.order).sort((a, b) => key(a) - key(b));
}

// Boxes (left, top, right, bottom) of the labels of the last frame, for clicks and tests.
export class Boxes {
  constructor(n) {
    this.genres = new Int32Array(n);
    this.edges = new Float64Array(4 * n);
    this.n = 0;
  }

  add(genre, left, top, right, bottom) {
    this.genres[this.n] = genre;
    this.edges.set([left, top, right, bottom], 4 * this.n++);
  }

  touches(left, top, right, bottom) {
    for (let i = 0; i < 4 * this.n; i += 4) {
      const e = this.edges;
      if (left < e[i + 2] && e[i] < right && top < e[i + 3] && e[i + 1] < bottom) return true;
    }
    return false;
  }
}

// scene: boxes of labels and named regions (filled here), data, camera, layout, labels (boxes and texts), placed (scales and shifts), order, palette, colour, theme,
// chosen (genre or -1), related (genres joined to it by lines), path (places by decade)
export function drawFrame(context, scene) {
  const { camera, layout, labels, placed, colour, palette, theme, chosen } = scene;
  const { boxes } = scene;
  boxes.n = 0;
  context.globalAlpha = 1;
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, camera.width, camera.height);
  if (layout.axis) drawYears(context, scene, false);
  if (scene.regionNames) drawRegionNames(context, scene);
  if (layout.tree) drawBranches(context, scene);
  const marked = chosen >= 0 ? [chosen, ...scene.related].filter((genre) => layout.shown[genre]) : [];
  if (chosen >= 0) drawLines(context, scene);
  const dots = camera.zoom < 3 ? 2 : camera.zoom < 12 ? 3 : 4;
  const dimmed = chosen >= 0 ? ALPHA_OF_OTHERS : 1;
  drawDots(context, scene, dots, dimmed);
  const front = markedLabels(context, scene, marked);
  context.textAlign = "center";
  context.textBaseline = "middle";
  let font = -1;
  const isMarked = new Set(marked);
  for (const genre of scene.order) {
    if (placed.from[genre] > camera.scale || isMarked.has(genre)) continue;
    const x = Math.round(camera.screenX(layout.x[genre]));
    const y = Math.round(camera.screenY(layout.y[genre]) + placed.shift[genre]);
    const [w, h] = [labels.width[genre] / 2, labels.height[genre] / 2];
    if (x + w < 0 || x - w > camera.width || y + h < 0 || y - h > camera.height) continue;
    if (front.n && front.touches(x - w, y - h, x + w, y + h)) continue;
    if (font !== labels.size[genre]) context.font = fontOf((font = labels.size[genre]));
    context.globalAlpha = 0.8;
    context.fillStyle = theme.paper;
    context.fillRect(x - w + PAD_X - 1, y - h + PAD_Y + 1, 2 * (w - PAD_X) + 2, 2 * (h - PAD_Y) - 2);
    context.globalAlpha = layout.alpha[genre] * dimmed;
    context.fillStyle = palette[colour[genre]];
    context.fillText(labels.texts[genre], x, y);
    boxes.add(genre, x - w + PAD_X, y - h + PAD_Y, x + w - PAD_X, y + h - PAD_Y);
  }
  drawMarked(context, scene, front);
  for (let i = 0; i < front.n; i++) boxes.add(front.genres[i], ...front.edges.subarray(4 * i, 4 * i + 4));
  context.globalAlpha = 1;
  if (layout.axis) drawYears(context, scene, true);
}

function drawDots(context, { camera, layout, placed, order, colour, palette }, size, dimmed) {
  let last = -1;
  let alpha = -1;
  // Dots that would be covered by another dot of this frame are skipped.
  const columns = Math.ceil(camera.width / size) + 9;
  const taken = new Uint8Array(columns * (Math.ceil(camera.height / size) + 9));
  for (const genre of order) {
    if (!layout.shown[genre]) continue;
    if (placed.from[genre] <= camera.scale && placed.shift[genre] === 0) continue;
    const x = Math.round(camera.screenX(layout.x[genre]) - size / 2);
    const y = Math.round(camera.screenY(layout.y[genre]) - size / 2);
    if (x < -4 || y < -4 || x > camera.width + 4 || y > camera.height + 4) continue;
    const cell = Math.floor((y + 4) / size) * columns + Math.floor((x + 4) / size);
    if (taken[cell]) continue;
    taken[cell] = 1;
    if (last !== colour[genre]) context.fillStyle = palette[(last = colour[genre])];
    if (alpha !== layout.alpha[genre]) context.globalAlpha = 0.75 * dimmed * (alpha = layout.alpha[genre]);
    context.fillRect(x, y, size, size);
  }
}

// Labels of the chosen genre and its related genres are placed for this view and hide other labels.
function markedLabels(context, { camera, layout, labels }, marked) {
  const front = new Boxes(marked.length);
  for (const genre of marked) {
    const x = Math.round(camera.screenX(layout.x[genre]));
    const y = Math.round(camera.screenY(layout.y[genre]));
    context.font = fontOf(Math.max(1, labels.size[genre]));
    const w = Math.ceil(context.measureText(labels.texts[genre]).width / 2) + PAD_X;
    const h = labels.height[genre] / 2 + 3;
    for (const lines of [0, -1, 1]) {
      const box = [x - w, y - h + 2 * h * lines, x + w, y + h + 2 * h * lines];
      if (front.touches(...box)) continue;
      front.add(genre, ...box);
      break;
    }
  }
  return front;
}

function drawMarked(context, { labels, palette, colour, theme, chosen }, front) {
  for (let i = 0; i < front.n; i++) {
    const genre = front.genres[i];
    const [left, top, right, bottom] = front.edges.subarray(4 * i, 4 * i + 4);
    context.globalAlpha = 1;
    context.fillStyle = genre === chosen ? theme.accent : theme.paper;
    context.strokeStyle = genre === chosen ? theme.accent : theme.line;
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1, 3);
    context.fill();
    context.stroke();
    context.font = fontOf(Math.max(1, labels.size[genre]));
    context.fillStyle = genre === chosen ? theme.paper : palette[colour[genre]];
    context.fillText(labels.texts[genre], (left + right) / 2, (top + bottom) / 2);
  }
}

function drawLines(context, { camera, layout, theme, chosen, related, path }) {
  if (!layout.shown[chosen]) return;
  context.strokeStyle = theme.accent;
  related.forEach((genre, place) => {
    if (!layout.shown[genre]) return;
    context.globalAlpha = 0.85 - (0.5 * place) / related.length;
    context.lineWidth = 2.4 - (1.4 * place) / related.length;
    context.beginPath();
    context.moveTo(camera.screenX(layout.x[chosen]), camera.screenY(layout.y[chosen]));
    if (layout.tree) bend(context, camera, layout, chosen, genre);
    else context.lineTo(camera.screenX(layout.x[genre]), camera.screenY(layout.y[genre]));
    context.stroke();
    context.fillStyle = theme.accent;
    context.beginPath();
    context.arc(camera.screenX(layout.x[genre]), camera.screenY(layout.y[genre]), 3.2, 0, 2 * Math.PI);
    context.fill();
  });
  if (!path.length) return;
  context.globalAlpha = 1;
  context.strokeStyle = context.fillStyle = theme.counter;
  context.lineWidth = 1.5;
  context.font = `11px ${SANS}`;
  context.textAlign = "left";
  context.beginPath();
  for (const [, x, y] of path) context.lineTo(camera.screenX(x), camera.screenY(y));
  context.stroke();
  for (const [year, x, y] of path) {
    context.fillRect(camera.screenX(x) - 2.5, camera.screenY(y) - 2.5, 5, 5);
    context.fillText(`${year}s`, camera.screenX(x) + 6, camera.screenY(y) + 10);
  }
}

function bend(context, camera, layout, from, to) {
  const [x1, y1] = [camera.screenX(layout.x[from]), camera.screenY(layout.y[from])];
  const [x2, y2] = [camera.screenX(layout.x[to]), camera.screenY(layout.y[to])];
  const middle = (x1 + x2) / 2;
  context.bezierCurveTo(middle, y1, middle, y2, x2, y2);
}

function drawBranches(context, { data, camera, layout, theme, chosen }) {
  context.strokeStyle = theme.muted;
  const crowd = Math.min(1, ((camera.zoom * 250) / data.n) ** 0.7); // thousands of lines would make one grey
  context.globalAlpha = (chosen >= 0 ? 0.12 : 0.3) * crowd;
  context.lineWidth = 0.6 + 0.4 * crowd;
  context.beginPath();
  for (let genre = 0; genre < data.n; genre++) {
    const parent = data.parent[genre];
    if (parent < 0) continue;
    const y = [camera.screenY(layout.y[genre]), camera.screenY(layout.y[parent])];
    if (Math.max(...y) < 0 || Math.min(...y) > camera.height) continue;
    context.moveTo(camera.screenX(layout.x[parent]), y[1]);
    bend(context, camera, layout, parent, genre);
  }
  context.stroke();
}

// Lines behind the tree, or labels of years in front of it.
function drawYears(context, { camera, layout, theme }, inFront) {
  const { from, to, left, right } = layout.axis;
  const perYear = ((right - left) / (to - from)) * camera.scale;
  const step = [1, 2, 5, 10, 20, 50, 100].find((years) => years * perYear >= 56) ?? 100;
  if (inFront) {
    context.fillStyle = theme.paper;
    context.fillRect(0, camera.height - YEARS_HIGH, camera.width, YEARS_HIGH);
  }
  context.strokeStyle = theme.hair;
  context.fillStyle = theme.muted;
  context.lineWidth = 1;
  context.font = `12px ${SANS}`;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (let year = Math.ceil(from / step) * step; year <= to; year += step) {
    const x = Math.round(camera.screenX(left + ((right - left) * (year - from)) / (to - from))) + 0.5;
    if (x < 0 || x > camera.width) continue;
    if (inFront) {
      context.fillText(year, x, camera.height - 8);
      continue;
    }
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, camera.height - YEARS_HIGH);
    context.stroke();
  }
}

// At small scales, names of regions are drawn between the labels, near the centre of the region, if there is room.
// Positions depend on the scale only, so panning does not move them.
function drawRegionNames(context, scene) {
  const { camera, layout, labels, placed, order, regionNames, theme, chosen } = scene;
  const strength = Math.max(0, 1 - (camera.zoom - 1) / 5);
  if (strength === 0) return;
  context.globalAlpha = 0.55 * strength * (chosen >= 0 ? 0.4 : 1);
  context.textAlign = "center";
  context.textBaseline = "middle";
  const size = Math.min(24, Math.max(13, camera.width / 46));
  context.font = `italic ${size}px ${SERIF}`;
  const taken = new Boxes(regionNames.length + order.length);
  for (const genre of order) {
    if (placed.from[genre] > camera.scale) continue;
    const [x, y] = [camera.screenX(layout.x[genre]), camera.screenY(layout.y[genre]) + placed.shift[genre]];
    const [w, h] = [labels.width[genre] / 2, labels.height[genre] / 2];
    taken.add(genre, x - w, y - h, x + w, y + h);
  }
  const high = size * 0.62;
  const edge = (camera.width - layout.width * camera.fit) / 2;
  const [left, right] = [camera.screenX(0) - edge, camera.screenX(layout.width) + edge];
  scene.named.n = 0;
  for (const { name, x, y, colour } of regionNames) {
    const [px, py, half] = [camera.screenX(x), camera.screenY(y), context.measureText(name).width / 2];
    for (const [across, down] of BESIDE) {
      const [cx, cy] = [px + across * half, py + down * 2 * high];
      const box = [cx - half, cy - high, cx + half, cy + high];
      if (box[0] < left || box[2] > right || taken.touches(...box)) continue;
      taken.add(0, ...box);
      scene.named.add(0, ...box);
      context.fillStyle = colour ?? theme.ink;
      context.fillText(name, cx, cy);
      break;
    }
  }
}
