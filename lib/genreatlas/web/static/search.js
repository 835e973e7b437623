// Search while typing: a list below the box, usable with the arrow keys. Names are shown as text, never as markup.
const KINDS = {
  songs: ["Songs", "songs", "song_id", "title"],
  artists: ["Artists", "artists", "artist_id", "name"],
  albums: ["Albums", "albums", "album_id", "name"],
  genres: ["Genres", "genres", "genre_id", "name"],
  playlists: ["Playlists", "playlists", "playlist_id", "name"],
};
const PAUSE_MS = 80;
const EACH = 4;

const box = document.getElementById("find");
const list = document.getElementById("found");
let waiting = 0;
let asked = null;
let chosen = -1;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Invisible characters, and those that change the direction of text.
function plain(text) {
  return String(text ?? "").replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

function show(results) {
  list.replaceChildren();
  chosen = -1;
  box.removeAttribute("aria-activedescendant");
  let number = 0;
  for (const [kind, [title, path, id, name]] of Object.entries(KINDS)) {
    const rows = results[kind] ?? [];
    if (!rows.length) continue;
    list.append(element("li", { className: "kind", role: "presentation" }, title));
    for (const row of rows) {
      const said = plain(row[name]) || "(no title)";
      const link = element("a", { href: `/${path}/${encodeURIComponent(row[id])}`, tabIndex: -1 }, said);
      if (row.artist) link.append(" ", element("small", {}, plain(row.artist)));
      const option = element("li", { role: "option", id: `found-${number++}` }, link);
      option.setAttribute("aria-selected", "false");
      list.append(option);
    }
  }
  if (!number) list.append(element("li", { className: "kind", role: "presentation" }, "No results."));
  open(true);
}

function open(on) {
  list.hidden = !on;
  box.setAttribute("aria-expanded", String(on));
}

async function ask() {
  asked?.abort();
  const query = box.value.trim();
  if (!query) return open(false);
  asked = new AbortController();
  try {
    const answer = await fetch(`/rest/search?q=${encodeURIComponent(query.slice(0, 200))}&limit=${EACH}`, { signal: asked.signal });
    if (answer.ok) show(await answer.json());
  } catch (fault) {
    if (fault.name !== "AbortError") open(false);
  }
}

function choose(step) {
  const options = [...list.querySelectorAll("[role=option]")];
  if (!options.length) return;
  options[chosen]?.setAttribute("aria-selected", "false");
  chosen = (chosen + step + options.length) % options.length;
  options[chosen].setAttribute("aria-selected", "true");
  options[chosen].scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", options[chosen].id);
}

if (box) {
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return;
      event.preventDefault();
      choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      open(false);
    } else if (event.key === "Enter" && chosen >= 0 && !list.hidden) {
      event.preventDefault();
      list.querySelector("[aria-selected=true] a")?.click();
    }
  });
  box.form.addEventListener("focusout", (event) => {
    if (!box.form.contains(event.relatedTarget)) open(false);
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus until the click
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    box.focus();
  });
}

// Only one player plays at a time.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
}, true);
