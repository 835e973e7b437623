// Draw waveform, chroma and tempogram of an analysis from the data in its page.
const data = JSON.parse(document.getElementById("pictures").textContent);
const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["paper", "raised", "ink", "muted", "accent", "counter"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function prepared(id, width, height) {
  const canvas = document.getElementById(id);
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d");
}

function waveform(theme) {
  const peaks = data.waveform;
  const height = 200;
  const context = prepared("waveform", peaks.length * 2, height);
  context.fillStyle = theme.accent;
  peaks.forEach((peak, place) => {
    const tall = Math.max(2, (peak / 100) * height);
    context.fillRect(place * 2, (height - tall) / 2, 1.4, tall);
  });
  context.fillStyle = theme.counter;
  for (const start of data.segments.slice(1)) context.fillRect((start / data.seconds) * peaks.length * 2, 0, 2, height);
}

// Picture of rows of digits, with the first row at the bottom.
function heat(id, rows, theme) {
  const [width, height] = [rows[0].length, rows.length];
  const context = prepared(id, width, height);
  context.fillStyle = theme.accent;
  rows.forEach((row, up) => {
    for (let column = 0; column < width; column++) {
      context.globalAlpha = Number(row[column]) / 9;
      context.fillRect(column, height - 1 - up, 1, 1);
    }
  });
}

function draw() {
  const theme = colours();
  waveform(theme);
  heat("chroma", data.chroma, theme);
  heat("tempogram", data.tempogram, theme);
}

function strongest(rows, names) {
  const sums = rows.map((row) => [...row].reduce((sum, digit) => sum + Number(digit), 0));
  const order = sums.map((_, place) => place).sort((a, b) => sums[b] - sums[a]);
  return order.slice(0, 3).map((place) => names[place]).join(", ");
}

document.getElementById("chroma").setAttribute("aria-label", `Chroma; strongest: ${strongest(data.chroma, NOTES)}`);
document.getElementById("chroma-words").textContent = `Strongest notes: ${strongest(data.chroma, NOTES)}.`;
document.getElementById("tempogram-words").textContent = `Strongest tempi: ${strongest(data.tempogram, data.tempi)} bpm.`;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
