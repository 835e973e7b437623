// Data of the page, read from the inline JSON. All texts are shown as text, never as markup.

export function readData() {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const folded = data.names.map(fold);
  const children = data.names.map(() => []);
  data.parent.forEach((parent, genre) => { if (parent >= 0) children[parent].push(genre); });
  const place = new Map(data.ids.map((id, genre) => [id, genre]));
  // The second view needs parents or years.
  const second = data.hasTree || data.years.some((year) => year !== null);
  return { ...data, second, n: data.names.length, folded, children, place, ranks: new Map() };
}

export function fold(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase();
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

// [genre, distance] of the nearest genres. Stored as one flat list per genre, which halves the time to parse.
export function neighboursOf(data, genre) {
  const flat = data.neighbours[genre];
  return Array.from({ length: flat.length / 2 }, (_, place) => [flat[2 * place], flat[2 * place + 1]]);
}

// Percentile of each genre, 0 to 1, with mid-ranks for ties; NaN for missing values.
export function ranksOf(data, measure) {
  if (!data.ranks.has(measure)) data.ranks.set(measure, rank(data.measures[measure].values));
  return data.ranks.get(measure);
}

function rank(values) {
  const known = [];
  values.forEach((value, genre) => { if (value !== null) known.push(genre); });
  known.sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length).fill(NaN);
  for (let start = 0, end = 0; start < known.length; start = end) {
    while (end < known.length && values[known[end]] === values[known[start]]) end++;
    const middle = known.length > 1 ? (start + end - 1) / 2 / (known.length - 1) : 0.5;
    for (let i = start; i < end; i++) ranks[known[i]] = middle;
  }
  return ranks;
}

export function formatNumber(value) {
  if (value === null || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

// A value of a measure with its unit; years have no thousands separator.
export function formatMeasure({ unit }, value, withUnit = true) {
  if (unit === "year") return formatYear(value);
  return unit && withUnit && value !== null ? `${formatNumber(value)} ${unit}` : formatNumber(value);
}

export function formatYear(year) {
  return year === null || Number.isNaN(year) ? "–" : String(Math.round(year));
}

// Genres whose names contain every word of the query. Order: equal to the query, names that begin with it, words that
// begin with it; then large genres first. Without a query: all genres by name.
export function searchGenres(data, query) {
  const wanted = fold(query).split(/\s+/).filter(Boolean);
  const found = [];
  const score = new Map();
  for (let genre = 0; genre < data.n; genre++) {
    const name = data.folded[genre];
    if (!wanted.every((word) => name.includes(word))) continue;
    found.push(genre);
    if (!wanted.length) continue;
    const whole = wanted.join(" ");
    const begins = wanted.every((word) => ` ${name}`.includes(` ${word}`));
    score.set(genre, name === whole ? 3 : name.startsWith(whole) ? 2 : begins ? 1 : 0);
  }
  const byName = (a, b) => (data.folded[a] < data.folded[b] ? -1 : data.folded[a] > data.folded[b] ? 1 : a - b);
  if (!wanted.length) return found.sort(byName);
  return found.sort((a, b) => score.get(b) - score.get(a) || data.sizes[b] - data.sizes[a] || byName(a, b));
}

// Path from a genre to the root of its tree. Ends at a cycle, as the data are not trusted.
export function lineOf(data, genre) {
  const line = [genre];
  while (data.parent[line[0]] >= 0 && !line.includes(data.parent[line[0]])) line.unshift(data.parent[line[0]]);
  return line;
}
