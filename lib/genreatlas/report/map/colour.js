// Colours of genres by region or by a measure. Defined in OKLCH, which is perceptually uniform; the theme fixes the
// lightness, so that every colour is readable on the background.
import { ranksOf } from "./data.js";
import { lensLayout } from "./layouts.js";

export function hexOf(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return "#" + linear.map((value) => {
    const gamma = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, gamma))).toString(16).padStart(2, "0");
  }).join("");
}

const RAMP_STEPS = 24;

export function ramp(dark) {
  return Array.from({ length: RAMP_STEPS }, (_, step) => {
    const share = step / (RAMP_STEPS - 1);
    return dark ? hexOf(0.58 + 0.3 * share, 0.15, 285 + 155 * share) : hexOf(0.6 - 0.18 * share, 0.15, 250 + 135 * share);
  });
}

// The hue of a region follows its angle around the centre of the first map; lightness alternates, so that adjacent regions
// differ.
export function regionColours(data, dark) {
  const layout = lensLayout(data, 0);
  const sums = data.regions.map(() => [0, 0, 0]);
  data.region.forEach((region, genre) => {
    if (region < 0 || !layout.shown[genre]) return;
    sums[region][0] += layout.x[genre];
    sums[region][1] += layout.y[genre];
    sums[region][2] += 1;
  });
  const angle = sums.map(([x, y, n]) => (n ? Math.atan2(y / n - layout.height / 2, x / n - layout.width / 2) : 9));
  const order = data.regions.map((_, region) => region).sort((a, b) => angle[a] - angle[b]);
  const colours = [];
  order.forEach((region, step) => {
    const light = step % 2 ? 0.06 : -0.04;
    colours[region] = hexOf((dark ? 0.76 : 0.5) + light, dark ? 0.13 : 0.14, 25 + (360 * step) / order.length);
  });
  return colours;
}

// Index into a palette for each genre. `by` is "region", "none" or the index of a measure.
export function paint(data, by, theme) {
  const colour = new Uint16Array(data.n);
  if (by === "none") return { palette: [theme.ink], colour };
  const palette = [theme.muted, ...(by === "region" ? regionColours(data, theme.dark) : ramp(theme.dark))];
  if (by === "region") {
    for (let genre = 0; genre < data.n; genre++) colour[genre] = data.region[genre] + 1;
  } else {
    const ranks = ranksOf(data, by);
    for (let genre = 0; genre < data.n; genre++) {
      colour[genre] = Number.isNaN(ranks[genre]) ? 0 : 1 + Math.min(RAMP_STEPS - 1, Math.floor(ranks[genre] * RAMP_STEPS));
    }
  }
  return { palette, colour };
}
