// Beats, bars and groove of a clip as a ring, synchronised with its player.
const data = JSON.parse(document.getElementById("rhythm").textContent);
const canvas = document.getElementById("ring");
const player = document.getElementById("player");
const choice = document.getElementById("again");
const said = document.getElementById("beat-words");
const BANDS = ["low", "mid", "high"];
const SIZE = 560;

// Beat, its position in the bar, the bar, and the progress of the bar at a time of the clip; null outside of its beats.
export function placeAt(rhythm, seconds) {
  const { beats, first, beats_per_bar: long } = rhythm;
  const time = seconds - rhythm.start_s;
  if (beats.length < 2 || time < beats[0]) return null;
  let [low, high] = [0, beats.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (beats[middle] <= time) low = middle;
    else high = middle - 1;
  }
  const length = low + 1 < beats.length ? beats[low + 1] - beats[low] : beats[low] - beats[low - 1];
  const share = (time - beats[low]) / length;
  if (share >= 1) return null;
  if (!long) return { beat: low, inBar: 0, bar: null, phase: share };
  const inBar = (((low - first) % long) + long) % long;
  return { beat: low, inBar, bar: Math.floor((low - first) / long), phase: (inBar + share) / long };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["raised", "line", "ink", "muted", "accent", "counter"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function arc(context, from, to, inner, outer) {
  const turn = (share) => 2 * Math.PI * share - Math.PI / 2;
  context.beginPath();
  context.arc(SIZE / 2, SIZE / 2, outer, turn(from), turn(to));
  context.arc(SIZE / 2, SIZE / 2, inner, turn(to), turn(from), true);
  context.closePath();
  context.fill();
}

function draw() {
  const theme = colours();
  const context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [SIZE, SIZE];
  const place = player.readyState ? placeAt(data, player.currentTime) : null;
  if (data.pattern) {
    BANDS.forEach((band, row) => {
      const inner = 90 + row * 48;
      (data.pattern[band] ?? []).forEach((value, step) => {
        context.globalAlpha = 1;
        context.fillStyle = theme.raised;
        arc(context, (step + 0.06) / 16, (step + 0.94) / 16, inner, inner + 42);
        const now = place && Math.floor(place.phase * 16) === step;
        context.globalAlpha = (now ? 1 : 0.75) * (value / 100);
        context.fillStyle = now ? theme.counter : theme.accent;
        arc(context, (step + 0.06) / 16, (step + 0.94) / 16, inner, inner + 42);
      });
    });
  }
  context.globalAlpha = 1;
  const long = data.beats_per_bar || 1;
  for (let beat = 0; beat < long; beat++) {
    const turn = (2 * Math.PI * beat) / long - Math.PI / 2;
    context.beginPath();
    context.arc(SIZE / 2 + 256 * Math.cos(turn), SIZE / 2 + 256 * Math.sin(turn), beat ? 10 : 15, 0, 2 * Math.PI);
    context.fillStyle = place?.inBar === beat ? theme.counter : theme.muted;
    context.fill();
  }
  if (place) {
    const turn = 2 * Math.PI * place.phase - Math.PI / 2;
    context.strokeStyle = theme.ink;
    context.lineWidth = 4;
    context.beginPath();
    context.moveTo(SIZE / 2 + 80 * Math.cos(turn), SIZE / 2 + 80 * Math.sin(turn));
    context.lineTo(SIZE / 2 + 240 * Math.cos(turn), SIZE / 2 + 240 * Math.sin(turn));
    context.stroke();
  }
  context.fillStyle = theme.ink;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "600 44px system-ui, sans-serif";
  context.fillText(data.tempo ? data.tempo.toFixed(0) : "–", SIZE / 2, SIZE / 2 - 12);
  context.font = "24px system-ui, sans-serif";
  context.fillText("bpm", SIZE / 2, SIZE / 2 + 26);
  const words = !place ? "" : place.bar === null ? `Beat ${place.beat + 1}` : `${place.bar < 0 ? "Upbeat" : `Bar ${place.bar + 1}`}, beat ${place.inBar + 1} of ${long}`;
  if (said.textContent !== words) said.textContent = words;
}

function follow() {
  draw();
  if (!player.paused && !player.ended) requestAnimationFrame(follow);
}

for (const event of ["play", "seeked", "loadedmetadata", "pause"]) player.addEventListener(event, follow);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

// Uploaded files are not stored on the server: the visitor may choose the file again to play it.
choice?.addEventListener("change", async () => {
  const file = choice.files[0];
  if (!file) return;
  if (globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== choice.dataset.sha256) {
      said.textContent = "This is not the analysed file.";
      return;
    }
  }
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(file);
  player.hidden = false;
});
draw();
