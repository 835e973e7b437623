// Text about the chosen genre, for all readers: it contains all information that the canvas shows.
import { formatMeasure, formatNumber, formatYear, lineOf, neighboursOf, ranksOf } from "./data.js";

export function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...inside);
  return made;
}

export function genreButton(data, genre, choose) {
  const button = element("button", { type: "button", class: "genre", onclick: () => choose(genre) });
  button.append(element("bdi", {}, data.names[genre]));
  return button;
}

export function describeGenre(data, genre, { choose, close, player, playing }) {
  const parts = [
    element("div", { class: "head" },
      element("h2", { id: "chosen-name", tabindex: "-1" }, element("bdi", {}, data.names[genre])),
      element("button", { type: "button", class: "close", "aria-label": "Close this genre", onclick: close }, "×")),
    element("p", { class: "facts" }, factsOf(data, genre)),
    ...ofSite(data, genre),
    ...example(data, genre, player, playing),
    ...stability(data, genre),
    ...neighbours(data, genre, choose),
    ...family(data, genre, choose),
    ...profile(data, genre),
    ...path(data, genre),
    ...typical(data, genre),
  ];
  return parts;
}

export function factsOf(data, genre) {
  const facts = [];
  if (data.region[genre] >= 0) facts.push(regionOf(data, genre));
  const songs = data.songs[genre];
  if (songs > 0) facts.push(`${formatNumber(songs)} ${songs === 1 ? "song" : "songs"}`);
  if (data.years[genre] !== null) facts.push(`since about ${formatYear(data.years[genre])}${span(data, genre)}`);
  return facts.join(" · ");
}

export function regionOf(data, genre) {
  const coarse = data.regions[data.region[genre]] ?? "–";
  const fine = data.subregions[data.subregion[genre]];
  return fine && fine !== coarse ? `${coarse} › ${fine}` : coarse;
}

function span(data, genre) {
  const years = data.yearSpans[genre];
  return years ? ` (${formatYear(years[0])}–${formatYear(years[1])})` : "";
}

// Links of the site that contains the map: playlists around the genre, and its songs.
function ofSite(data, genre) {
  const addresses = document.getElementById("site")?.dataset;
  if (!addresses) return [];
  const id = encodeURIComponent(data.ids[genre]);
  return [element("p", { class: "soft" },
    element("a", { href: addresses.explore + id }, "Explore from here"), " · ",
    element("a", { href: addresses.genre + id }, "songs of this genre"))];
}

function example(data, genre, player, playing) {
  const found = data.examples[genre];
  if (!found) return [];
  const title = element("bdi", {}, found.title);
  if (found.source) {
    const button = element("button", { type: "button", class: "play", onclick: () => player(genre) });
    button.append(playing ? "Stop " : "Play ", title);
    return [element("p", {}, button)];
  }
  if (!found.link) return [element("p", { class: "soft" }, "Example: ", title)];
  const link = element("a", { href: found.link, rel: "noreferrer noopener", target: "_blank" }, title);
  return [element("p", { class: "soft" }, "Example, on another site: ", link)];
}

function stability(data, genre) {
  const parts = [];
  data.lenses.forEach((lens) => {
    if (lens.x[genre] === null) parts.push(element("p", { class: "soft" }, `It is not on the map “${lens.title}”.`));
    const strays = lens.strays?.[genre];
    if (strays > 0.05) {
      const share = `${Math.round(100 * strays)} %`;
      const words = `Its position on “${lens.title}” is uncertain: on maps of half of the songs it deviates by ${share} of the map’s radius.`;
      parts.push(element("p", { class: "soft" }, words));
    }
    if (lens.known && !lens.known[genre]) {
      parts.push(element("p", { class: "soft" }, `Its position on “${lens.title}” is predicted.`));
    }
  });
  return parts;
}

function neighbours(data, genre, choose) {
  const near = neighboursOf(data, genre);
  if (!near.length) return [];
  const furthest = Math.max(...near.map(([, distance]) => distance), 1e-9);
  const list = element("ol", { class: "bars" });
  for (const [other, distance] of near) {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.inlineSize = `${Math.round((100 * distance) / furthest)}%`;
    list.append(element("li", {}, genreButton(data, other, choose), element("span", { class: "soft" }, formatNumber(distance)), bar));
  }
  return [
    element("h3", {}, "Nearest genres"),
    element("p", { class: "soft" }, data.neighboursNote),
    list,
  ];
}

function family(data, genre, choose) {
  const parts = [];
  const line = lineOf(data, genre);
  if (line.length > 1) {
    const steps = element("ol", { class: "line" });
    for (const step of line) {
      steps.append(element("li", {}, step === genre ? element("bdi", {}, data.names[step]) : genreButton(data, step, choose)));
    }
    parts.push(steps);
  }
  const ranked = data.parents[genre];
  if (ranked.length) {
    const list = element("ol", { class: "bars" });
    for (const [other, probability, evidence] of ranked) {
      const row = element("li", {}, genreButton(data, other, choose));
      row.append(element("span", { class: "soft" }, `${Math.round(100 * probability)} %`));
      if (evidence) row.append(element("small", {}, evidence));
      list.append(row);
    }
    parts.push(element("h4", {}, "Possible parents"), list);
  } else if (line.length === 1 && data.hasTree) {
    parts.push(element("p", { class: "soft" }, "No parent: the evidence is too weak, or it is a root."));
  }
  if (data.children[genre].length) {
    const list = element("p", { class: "flow" });
    for (const child of data.children[genre]) list.append(genreButton(data, child, choose), " ");
    parts.push(element("h4", {}, "Children"), list);
  }
  if (!parts.length) return [];
  return [element("h3", {}, "In the tree"), element("p", { class: "soft" }, data.treeNote), ...parts];
}

function profile(data, genre) {
  const list = element("ul", { class: "profile" });
  data.measures.forEach((measure, place) => {
    const rank = ranksOf(data, place)[genre];
    if (Number.isNaN(rank)) return;
    const value = formatMeasure(measure, measure.values[genre]);
    const track = element("span", { class: "track", "aria-hidden": "true" }, element("i"));
    track.firstChild.style.insetInlineStart = `${(100 * rank).toFixed(1)}%`;
    list.append(element("li", {},
      element("span", {}, measure.title),
      element("span", { class: "soft" }, value),
      track,
      element("span", { class: "hidden" }, `, above ${Math.round(100 * rank)} % of genres`)));
  });
  if (!list.childElementCount) return [];
  return [
    element("h3", {}, "Compared with all genres"),
    element("p", { class: "soft" }, "Each line ranges from the lowest to the highest genre; the mark is the rank of this genre."),
    list,
  ];
}

function path(data, genre) {
  const decades = data.paths[genre];
  if (!decades) return [];
  const years = decades.map(([year]) => `${year}s`).join(", ");
  return [element("p", { class: "soft" }, `A line on the map shows how its sound changed in the ${years}.`)];
}

function typical(data, genre) {
  const songs = data.typical[genre];
  if (!songs?.length) return [];
  const list = element("ol", { class: "songs" });
  for (const song of songs) list.append(element("li", {}, element("bdi", {}, song)));
  return [element("h3", {}, "Typical songs"), list];
}
