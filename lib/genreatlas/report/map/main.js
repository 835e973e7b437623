// Connects data, camera, canvas and panel.
import { Camera } from "./camera.js";
import { paint, ramp } from "./colour.js";
import { formatMeasure, formatNumber, neighboursOf, readData } from "./data.js";
import { Boxes, FEW, drawFrame, measureLabels, paintOrder } from "./draw.js";
import { listen } from "./gestures.js";
import { placeLabels } from "./labels.js";
import { lensLayout, measureLayout, treeLayout } from "./layouts.js";
import { GenreList } from "./list.js";
import { describeGenre, element } from "./panel.js";

// Maximum spread of a region's genres around its centre, as a share of the map, for its name to be drawn.
const SCATTERED = 0.15;
// Number of neighbours of a chosen genre to bring into view, and their maximum distance from the centre of the view.
const NEAREST = 5;
const IN_SIGHT = 0.42;
const NEAR = 10;
// Below this zoom the whole map is shown instead, with the other neighbours.
const WHOLE = 1.3;

class GenreMap {
  constructor() {
    this.data = readData();
    this.canvas = document.getElementById("map");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.camera = new Camera();
    this.theme = readTheme();
    this.labels = measureLabels(this.data, this.context);
    this.boxes = new Boxes(this.data.n);
    this.named = new Boxes(this.data.regions.length);
    this.chosen = -1;
    this.hovered = -1;
    this.audio = new Audio();
    this.audio.preload = "none";
    this.playing = -1;
    this.audio.addEventListener("ended", () => this.stop());
    this.audio.addEventListener("error", () => this.say("The example cannot be played."));
    this.prepareControls();
    this.measureCanvas();
    this.setLayout();
    this.draw();
    this.list = new GenreList(this.data, document.getElementById("all"), (genre) => this.choose(genre, { go: true }));
    listen(this.canvas, this.camera, {
      moved: () => this.redraw(),
      click: (x, y) => this.click(x, y),
      hover: (x, y) => this.hover(x, y),
      showAll: () => this.showAll(),
      forget: () => this.choose(-1),
    });
    new ResizeObserver(() => this.resized()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.theme = readTheme();
      this.repaint();
    });
    addEventListener("hashchange", () => this.readAddress());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.matches("input, select")) return;
      event.preventDefault();
      this.list.search.focus();
    });
    this.readAddress();
  }

  prepareControls() {
    const { data } = this;
    const choices = (select, entries) => select.append(...entries.map(([value, text]) => element("option", { value }, text)));
    const get = (id) => document.getElementById(id);
    const measures = data.measures.map((measure, place) => [place, measure.title]);
    this.places = get("places");
    choices(this.places, data.lenses.map((lens, place) => [`lens ${place}`, lens.title]));
    if (measures.length > 1) choices(this.places, [["measures", "Two measures"]]);
    this.across = get("across");
    this.down = get("down");
    choices(this.across, measures);
    choices(this.down, measures);
    this.down.selectedIndex = Math.min(1, measures.length - 1);
    this.by = get("colour");
    choices(this.by, [...(data.regions.length ? [["region", "Region"]] : []), ...measures, ["none", "Nothing"]]);
    this.view = get("view");
    this.view.hidden = !data.second;
    if (!data.hasTree) get("tree-word").textContent = "Years";
    this.view.addEventListener("change", () => {
      this.setLayout();
      this.writeAddress();
    });
    for (const select of [this.places, this.across, this.down]) select.addEventListener("change", () => this.setLayout());
    this.by.addEventListener("change", () => this.repaint());
    get("nearer").addEventListener("click", () => this.zoom(1.6));
    get("further").addEventListener("click", () => this.zoom(1 / 1.6));
    get("whole").addEventListener("click", () => this.showAll());
    this.sound = get("sound");
    get("sound-label").hidden = !Object.values(data.examples).some((found) => found.source);
  }

  get inTree() {
    return this.data.second && this.view.querySelector("input:checked").value === "tree";
  }

  setLayout() {
    const { data, places } = this;
    const own = places.value === "measures";
    for (const id of ["across-label", "down-label"]) document.getElementById(id).hidden = this.inTree || !own;
    document.getElementById("places-label").hidden = this.inTree;
    if (this.inTree) this.layout = treeLayout(data);
    else if (own) this.layout = measureLayout(data, Number(this.across.value), Number(this.down.value));
    else this.layout = lensLayout(data, Math.max(0, places.selectedIndex));
    this.camera.showAll(this.layout);
    this.placeLabels();
    this.repaint();
    this.showEnds();
    if (this.chosen >= 0) this.bringIntoView(this.chosen);
  }

  // Labels depend only on the scale of the whole map; they are placed again if the window has become smaller.
  placeLabels() {
    this.placedAt = this.camera.fit;
    this.placed = placeLabels(this.layout, this.labels, this.labels.order, this.camera.fit);
  }

  repaint() {
    const by = Number.isNaN(Number(this.by.value)) ? this.by.value : Number(this.by.value);
    const { palette, colour } = paint(this.data, by, this.theme);
    this.palette = palette;
    this.colour = colour;
    this.order = paintOrder(this.labels, colour);
    this.regionNames = by === "region" && !this.inTree && !this.ownAxes ? this.namesOfRegions() : null;
    this.showLegend(by);
    this.redraw();
  }

  get ownAxes() {
    return this.places.value === "measures";
  }

  namesOfRegions() {
    const { data, layout } = this;
    const members = data.regions.map(() => []);
    data.region.forEach((region, genre) => { if (region >= 0 && layout.shown[genre]) members[region].push(genre); });
    const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    return data.regions.flatMap((name, region) => {
      const x = median(members[region].map((genre) => layout.x[genre]));
      const y = median(members[region].map((genre) => layout.y[genre]));
      const away = median(members[region].map((genre) => Math.hypot(layout.x[genre] - x, layout.y[genre] - y)));
      if (members[region].length < 4 || away > SCATTERED) return [];
      return [{ name: name.length > 28 ? `${name.slice(0, 27)}…` : name, x, y, colour: this.palette[region + 1] }];
    });
  }

  showLegend(by) {
    const legend = document.getElementById("legend");
    legend.replaceChildren();
    if (by === "none") return;
    if (by === "region") {
      const count = this.data.regions.map(() => 0);
      for (const region of this.data.region) if (region >= 0) count[region]++;
      const list = element("ul");
      this.data.regions.forEach((name, region) => {
        const swatch = element("i", { "aria-hidden": "true" });
        swatch.style.background = this.palette[region + 1];
        list.append(element("li", {}, swatch, element("bdi", {}, name), " ", element("span", { class: "soft" }, formatNumber(count[region]))));
      });
      legend.append(element("h2", {}, "Regions"), list);
      return;
    }
    const measure = this.data.measures[by];
    const { title, unit, values } = measure;
    const known = values.filter((value) => value !== null).sort((a, b) => a - b);
    const bar = element("span", { class: "ramp", "aria-hidden": "true" });
    bar.style.background = `linear-gradient(to right, ${ramp(this.theme.dark).join(", ")})`;
    const words = [0, known.length >> 1, known.length - 1].map((place) => element("span", {}, formatMeasure(measure, known[place] ?? null, false)));
    legend.append(
      element("h2", {}, unit && unit !== "year" ? `${title} [${unit}]` : title),
      bar,
      element("p", { class: "ends" }, ...words),
      element("p", { class: "soft" }, "Colours show ranks; the lowest, median and highest value are below the bar. Genres without a value are grey."));
  }

  showEnds() {
    const [x, y] = this.layout.ends;
    ["left", "right", "top", "bottom"].forEach((side, place) => {
      document.getElementById(`end-${side}`).textContent = (place < 2 ? x?.[place] : y?.[place - 2]) ?? "";
    });
    document.getElementById("lies").hidden = this.inTree || this.ownAxes;
    document.getElementById("note").textContent = this.inTree && this.data.hasTree ? this.data.treeNote : this.layout.note;
  }

  measureCanvas() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const density = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.context.setTransform(density, 0, 0, density, 0, 0);
    [this.camera.width, this.camera.height] = [width, height];
  }

  resized() {
    const { width, height } = this.camera;
    const now = this.canvas.getBoundingClientRect();
    if (width === now.width && height === now.height) return;
    this.measureCanvas();
    this.camera.resize(this.camera.width, this.camera.height, this.layout);
    if (this.camera.fit < this.placedAt) this.placeLabels();
    this.draw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = false;
    drawFrame(this.context, this);
    if (this.camera.zoom === this.zoomSaid) return;
    this.zoomSaid = this.camera.zoom;
    document.getElementById("zoom").textContent = `${this.zoomSaid < 10 ? this.zoomSaid.toFixed(1) : Math.round(this.zoomSaid)}×`;
  }

  get related() {
    if (this.chosen < 0) return [];
    if (!this.inTree) return neighboursOf(this.data, this.chosen).map(([genre]) => genre);
    return [...this.data.parents[this.chosen].map(([genre]) => genre), ...this.data.children[this.chosen].slice(0, 20)];
  }

  get path() {
    const plain = !this.inTree && !this.ownAxes && this.places.selectedIndex === 0;
    return plain ? (this.data.paths[this.chosen] ?? []).map(([year, x, y]) => [year, x / 30000, y / 30000]) : [];
  }

  // The label at a pixel, or else the nearest dot.
  genreAt(px, py) {
    const { boxes, camera, layout } = this;
    for (let i = boxes.n - 1; i >= 0; i--) {
      const [left, top, right, bottom] = boxes.edges.subarray(4 * i, 4 * i + 4);
      if (px >= left - 2 && px <= right + 2 && py >= top - 1 && py <= bottom + 1) return boxes.genres[i];
    }
    let [best, nearest] = [-1, 12];
    for (let genre = 0; genre < this.data.n; genre++) {
      if (!layout.shown[genre]) continue;
      const away = Math.hypot(camera.screenX(layout.x[genre]) - px, camera.screenY(layout.y[genre]) - py);
      if (away < nearest) [best, nearest] = [genre, away];
    }
    return best;
  }

  click(x, y) {
    const genre = this.genreAt(x, y);
    this.choose(genre);
    if (genre >= 0 && this.sound.checked && this.data.examples[genre]?.source) this.play(genre);
  }

  hover(x, y) {
    const genre = x > -1e5 ? this.genreAt(x, y) : -1;
    if (genre === this.hovered) return;
    this.hovered = genre;
    this.canvas.style.cursor = genre >= 0 ? "pointer" : "grab";
    this.canvas.title = genre >= 0 ? this.data.names[genre] : "";
  }

  choose(genre, { go = false } = {}) {
    const panel = document.getElementById("chosen");
    if (genre !== this.playing) this.stop();
    this.chosen = genre;
    panel.hidden = genre < 0;
    document.getElementById("first").hidden = genre >= 0;
    if (genre >= 0) {
      this.describe();
      panel.scrollTop = 0;
      if (go) {
        this.bringIntoView(genre);
        document.getElementById("chosen-name").focus();
      }
      this.say(`${this.data.names[genre]} is chosen.`);
    }
    this.writeAddress();
    this.redraw();
  }

  // The address contains the current view, so that it can be shared.
  writeAddress() {
    const said = [];
    if (this.inTree) said.push("view=tree");
    if (this.chosen >= 0) said.push(`genre=${encodeURIComponent(this.data.ids[this.chosen])}`);
    const address = `#${said.join("&")}`;
    try {
      history.replaceState(null, "", address);
    } catch {
      // A page in a sandboxed frame cannot change its address.
    }
  }

  describe() {
    document.getElementById("chosen").replaceChildren(...describeGenre(this.data, this.chosen, {
      choose: (other) => this.choose(other, { go: true }),
      close: () => {
        this.choose(-1);
        this.canvas.focus();
      },
      player: (genre) => (this.playing === genre ? this.stop() : this.play(genre)),
      playing: this.playing === this.chosen,
    }));
  }

  bringIntoView(genre) {
    const { camera, layout } = this;
    if (!layout.shown[genre]) return;
    // Largest zoom at which the nearest related genres are visible; the chosen genre's label is drawn at any scale.
    const reach = (far, side) => (IN_SIGHT * side) / Math.max(far * camera.fit, 1e-9);
    const near = this.related.filter((other) => layout.shown[other]).slice(0, NEAREST);
    const most = near.flatMap((other) => [
      reach(Math.abs(layout.x[other] - layout.x[genre]), camera.width),
      reach(Math.abs(layout.y[other] - layout.y[genre]), camera.height),
    ]);
    const zoom = Math.min(64, Math.max(camera.zoom, NEAR), ...most);
    if (zoom > WHOLE && this.data.n >= FEW) camera.goTo(layout.x[genre], layout.y[genre], zoom);
    else camera.showAll(layout);
    this.redraw();
  }

  play(genre) {
    this.audio.src = this.data.examples[genre].source;
    this.audio.play().catch(() => this.say("The example cannot be played."));
    this.playing = genre;
    if (genre === this.chosen) this.describe();
  }

  stop() {
    if (this.playing < 0) return;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.playing = -1;
    if (this.chosen >= 0) this.describe();
  }

  zoom(factor) {
    this.camera.zoomAt(factor);
    this.redraw();
  }

  showAll() {
    this.camera.showAll(this.layout);
    this.redraw();
  }

  readAddress() {
    const said = new URLSearchParams(location.hash.slice(1));
    const id = said.get("genre");
    const view = said.get("view") === "tree" && this.data.second ? "tree" : "map";
    const button = this.view.querySelector(`[value=${view}]`);
    if (!button.checked) {
      button.checked = true;
      this.setLayout();
    }
    if (this.data.place.has(id)) this.choose(this.data.place.get(id), { go: true });
  }

  say(words) {
    document.getElementById("said").textContent = words;
  }
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "raised", "ink", "muted", "line", "hair", "accent", "counter"];
  const theme = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...theme, dark: matchMedia("(prefers-color-scheme: dark)").matches };
}

window.genreMap = new GenreMap();
requestAnimationFrame(() => performance.mark("usable"));
