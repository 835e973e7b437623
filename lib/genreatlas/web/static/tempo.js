// Tempo of microphone input, or of a file while it plays. No audio leaves the browser.
import { OnsetFlux, tempoAt } from "./onsets.js";

const RATE = 44100; // of files
const LONGEST_S = 900;
const SHOWN_S = 8;
const byId = (id) => document.getElementById(id);
const button = byId("listen");
const player = byId("player");
let heard = null; // { flux, now: seconds of it that count, end }

function say(text) {
  if (byId("said").textContent !== text) byId("said").textContent = text;
}

function show() {
  const found = heard && tempoAt(heard.flux.values, heard.flux.rate, heard.now());
  byId("bpm").textContent = found ? found.bpm.toFixed(1) : "–";
  byId("clarity").value = found?.clarity ?? 0;
  byId("half").textContent = found ? `Counted at half or double time: ${(found.bpm / 2).toFixed(0)} or ${(2 * found.bpm).toFixed(0)}.` : "";
}

function draw() {
  const canvas = byId("flux");
  const style = getComputedStyle(document.documentElement);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!heard) return;
  const { values, rate } = heard.flux;
  const to = Math.min(values.length, Math.round(heard.now() * rate));
  const shown = values.slice(Math.max(0, to - Math.round(SHOWN_S * rate)), to);
  const top = Math.max(0.05, ...shown);
  context.fillStyle = style.getPropertyValue("--accent").trim();
  const step = canvas.width / (SHOWN_S * rate);
  shown.forEach((value, place) => {
    const tall = (value / top) * canvas.height;
    context.fillRect(canvas.width - (shown.length - place) * step, canvas.height - tall, Math.max(1, step), tall);
  });
}

let shownAt = 0;
function tick(time) {
  if (!heard) return;
  draw();
  if (time - shownAt > 500) {
    shownAt = time;
    show();
  }
  requestAnimationFrame(tick);
}

function start(found) {
  heard?.end();
  heard = found;
  byId("bpm").textContent = "–";
  requestAnimationFrame(tick);
}

async function listen() {
  if (!navigator.mediaDevices) return say("The microphone is available over HTTPS only.");
  player.pause();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (fault) {
    return say(fault.name === "NotAllowedError" ? "Access to the microphone was denied." : "No microphone was found.");
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule("/static/tap.js");
  const flux = new OnsetFlux(context.sampleRate);
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  tap.port.onmessage = (event) => {
    flux.push(event.data);
    if (flux.values.length > 60 * flux.rate) flux.values.splice(0, Math.round(40 * flux.rate));
  };
  context.createMediaStreamSource(stream).connect(tap);
  const end = () => {
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    button.textContent = "Listen to the microphone";
  };
  start({ flux, now: () => flux.values.length / flux.rate, end });
  button.textContent = "Stop listening";
  say("Listening. The tempo is that of the last 8 seconds.");
}

function stop() {
  heard?.end();
  heard = null;
  say("Stopped.");
}

async function read(file) {
  if (!file) return;
  say("Reading the file …");
  try {
    const bytes = await file.arrayBuffer();
    const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    const flux = new OnsetFlux(RATE);
    const length = Math.min(decoded.length, LONGEST_S * RATE);
    const mono = new Float32Array(length);
    for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
      const samples = decoded.getChannelData(channel);
      for (let i = 0; i < length; i++) mono[i] += samples[i] / decoded.numberOfChannels;
    }
    for (let from = 0; from < length; from += RATE) {
      flux.push(mono.subarray(from, from + RATE));
      if (from % (10 * RATE) === 0) await new Promise((done) => setTimeout(done));
    }
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(file);
    player.hidden = false;
    // Before playback, the tempo of the first seconds is shown.
    const now = () => (player.currentTime > 3 ? player.currentTime : Math.min(SHOWN_S, length / RATE));
    start({ flux, now, end: () => player.pause() });
    show();
    say("Play the file. The tempo is that of the last 8 seconds.");
  } catch {
    say("This file cannot be decoded. Use MP3, FLAC, OGG or WAV.");
  }
}

button.addEventListener("click", () => (button.textContent === "Stop listening" ? stop() : listen()));
byId("file").addEventListener("change", (event) => read(event.target.files[0]));
