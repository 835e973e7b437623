// Table of all genres, with pages and a search.
import { formatNumber, formatYear, searchGenres } from "./data.js";
import { element, genreButton } from "./panel.js";

const ROWS = 50;

export class GenreList {
  constructor(data, root, choose) {
    Object.assign(this, { data, root, choose, page: 0 });
    this.search = root.querySelector("#search");
    this.found = searchGenres(data, "");
    this.search.addEventListener("input", () => this.narrow());
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.search.value.trim() && this.found.length) {
        event.preventDefault();
        choose(this.found[0]);
      }
      if (event.key === "Escape") {
        this.search.value = "";
        this.narrow();
      }
    });
    root.querySelector("#before").addEventListener("click", () => this.turn(-1));
    root.querySelector("#after").addEventListener("click", () => this.turn(1));
    this.show();
  }

  narrow() {
    this.found = searchGenres(this.data, this.search.value);
    this.page = 0;
    this.show();
  }

  turn(pages) {
    this.page = Math.min(this.last, Math.max(0, this.page + pages));
    this.show();
    this.root.querySelector("table").scrollIntoView({ block: "nearest" });
  }

  get last() {
    return Math.max(0, Math.ceil(this.found.length / ROWS) - 1);
  }

  show() {
    const { data, found, page, root } = this;
    const from = page * ROWS;
    const rows = found.slice(from, from + ROWS).map((genre) => element("tr", {},
      element("th", { scope: "row" }, genreButton(data, genre, this.choose)),
      element("td", { class: "text" }, data.regions[data.region[genre]] ?? "–"),
      element("td", {}, data.songs[genre] > 0 ? formatNumber(data.songs[genre]) : "–"),
      element("td", {}, formatYear(data.years[genre]))));
    root.querySelector("tbody").replaceChildren(...rows);
    const many = found.length === 1 ? "1 genre" : `${formatNumber(found.length)} genres`;
    root.querySelector("#found").textContent = found.length
      ? `${many}, ${formatNumber(from + 1)} to ${formatNumber(Math.min(found.length, from + ROWS))} shown`
      : "No genre has this in its name.";
    root.querySelector("#before").disabled = page === 0;
    root.querySelector("#after").disabled = page === this.last;
  }
}
