// Tempo of a signal by onset flux: pure functions, independent of page and microphone.
//
// Flux: the increase of the logarithmic spectrum from frame to frame. Tempo: the shortest period whose multiples have about
// the highest autocorrelation. So a click at 60 bpm is not detected as 120, where every second beat would be silent, nor
// one at 200 as 100, where beats would be left out.

const SECONDS_A_HOP = 0.006;
const LOUDER = 1000; // log(1 + LOUDER * magnitude): quiet onsets count, too
const SLOWEST = 50; // bpm
const FASTEST = 220;
const AS_GOOD = 0.8; // of the best period's score
const LOCAL_S = 0.4; // the mean over this long is no onset
const LEAST_S = 3;
const CLEAREST_NOISE = 0.25; // what a steady noise repeats by chance

// In-place FFT of a power-of-two length; `turns` are the cosines and sines of the first half of the unit circle.
function transform(real, imaginary, turns) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const step = n / size;
    for (let k = 0; k < size / 2; k++) {
      const cosine = turns.cosines[k * step];
      const sine = -turns.sines[k * step];
      for (let first = k; first < n; first += size) {
        const second = first + size / 2;
        const re = real[second] * cosine - imaginary[second] * sine;
        const im = real[second] * sine + imaginary[second] * cosine;
        real[second] = real[first] - re;
        imaginary[second] = imaginary[first] - im;
        real[first] += re;
        imaginary[first] += im;
      }
    }
  }
}

// Onset flux of a signal given in pieces of any length.
export class OnsetFlux {
  constructor(sampleRate) {
    this.hop = Math.round(sampleRate * SECONDS_A_HOP);
    this.rate = sampleRate / this.hop; // frames a second
    this.size = 2 ** Math.round(Math.log2(sampleRate * 0.023));
    this.window = Float64Array.from({ length: this.size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / this.size));
    const turn = (place) => (2 * Math.PI * place) / this.size;
    this.turns = {
      cosines: Float64Array.from({ length: this.size / 2 }, (_, i) => Math.cos(turn(i))),
      sines: Float64Array.from({ length: this.size / 2 }, (_, i) => Math.sin(turn(i))),
    };
    this.scale = 2 / this.window.reduce((sum, one) => sum + one, 0);
    this.before = null;
    this.left = new Float32Array(0);
    this.values = [];
  }

  push(samples) {
    const all = new Float32Array(this.left.length + samples.length);
    all.set(this.left);
    all.set(samples, this.left.length);
    let start = 0;
    for (; start + this.size <= all.length; start += this.hop) this.values.push(this.rise(all.subarray(start, start + this.size)));
    this.left = all.slice(start);
  }

  rise(frame) {
    const real = new Float64Array(this.size);
    const imaginary = new Float64Array(this.size);
    for (let i = 0; i < this.size; i++) real[i] = frame[i] * this.window[i];
    transform(real, imaginary, this.turns);
    const now = new Float64Array(this.size / 2);
    let sum = 0;
    for (let bin = 1; bin < now.length; bin++) {
      now[bin] = Math.log1p(LOUDER * this.scale * Math.sqrt(real[bin] ** 2 + imaginary[bin] ** 2));
      if (this.before) sum += Math.max(0, now[bin] - this.before[bin]);
    }
    this.before = now;
    return sum / now.length;
  }
}

// Flux above its local mean, smoothed so that periods between whole frames also correlate.
function onsetsOf(flux, rate) {
  const n = flux.length;
  const half = Math.round((LOCAL_S * rate) / 2);
  const sums = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) sums[i + 1] = sums[i] + flux[i];
  const sharp = Float64Array.from(flux, (value, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(n, i + half + 1)];
    return Math.max(0, value - (1.2 * (sums[to] - sums[from])) / (to - from));
  });
  const kernel = [1, 4, 6, 4, 1];
  return sharp.map((_, i) => kernel.reduce((sum, weight, k) => sum + weight * (sharp[i + k - 2] ?? 0), 0) / 16);
}

function repeatsOf(onsets, most) {
  const n = onsets.length;
  const found = new Float64Array(most + 1);
  for (let lag = 0; lag <= most; lag++) {
    let sum = 0;
    for (let i = lag; i < n; i++) sum += onsets[i] * onsets[i - lag];
    found[lag] = sum / (n - lag);
  }
  return found.map((one) => one / (found[0] || 1));
}

// Position and height of the maximum near a position, with parabolic interpolation.
function peakNear(values, place, reach) {
  const [from, to] = [Math.max(1, Math.round(place - reach)), Math.min(values.length - 2, Math.round(place + reach))];
  if (to < from) return null;
  let best = from;
  for (let i = from; i <= to; i++) if (values[i] > values[best]) best = i;
  const [left, middle, right] = [values[best - 1], values[best], values[best + 1]];
  const bend = left - 2 * middle + right;
  const shift = bend < 0 ? Math.max(-0.5, Math.min(0.5, (0.5 * (left - right)) / bend)) : 0;
  return { place: best + shift, height: middle };
}

// Tempo of a flux: { bpm, clarity from 0 to 1 }, or null if it is too short or not periodic.
export function tempoOf(flux, rate) {
  if (flux.length < LEAST_S * rate) return null;
  const onsets = onsetsOf(flux, rate);
  const most = Math.min(Math.floor(0.7 * onsets.length), Math.round(5 * rate));
  if (onsets.reduce((sum, one) => sum + one, 0) < 1e-3) return null;
  const repeats = repeatsOf(onsets, most);
  const [shortest, longest] = [(60 * rate) / FASTEST, (60 * rate) / SLOWEST];
  const scored = [];
  for (let period = Math.floor(shortest); period <= Math.ceil(longest); period++) {
    if (!(repeats[period] >= repeats[period - 1] && repeats[period] >= repeats[period + 1])) continue;
    let [sum, n] = [0, 0];
    for (let k = 1; k <= 4 && k * period + 2 < most; k++, n++) sum += Math.max(0, peakNear(repeats, k * period, 1 + k / 2).height);
    if (n) scored.push({ period, score: sum / n });
  }
  const best = Math.max(0, ...scored.map((one) => one.score));
  if (best < CLEAREST_NOISE) return null;
  const chosen = scored.find((one) => one.score >= AS_GOOD * best);
  let period = chosen.period;
  for (let k = 1; k * period + 2 < most; k++) {
    const peak = peakNear(repeats, k * period, 0.1 * period);
    if (peak && peak.height > 0.3 * chosen.score) period = peak.place / k;
  }
  return { bpm: (60 * rate) / period, clarity: Math.min(1, chosen.score) };
}

// Tempo over the last seconds before a time.
export function tempoAt(flux, rate, seconds, back = 8) {
  const to = Math.min(flux.length, Math.round(seconds * rate));
  return tempoOf(flux.slice(Math.max(0, to - Math.round(back * rate)), to), rate);
}
