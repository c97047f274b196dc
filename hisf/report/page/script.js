"use strict";
(() => {
  const table = document.getElementById("table");
  if (!table) return;
  const form = document.getElementById("filter");
  const count = document.getElementById("count");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const cards = document.getElementById("cards");
  const byId = (selector) => {
    const found = new Map();
    for (const element of document.querySelectorAll(selector)) {
      const id = element.dataset.id;
      found.set(id, [...(found.get(id) || []), element]);
    }
    return found;
  };
  const articles = byId("article[data-id]");
  const points = byId(".point[data-id]");

  // the value of a cell: in full where it is shown rounded
  const text = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent;
  const numeric = (column) => rows.length > 0 && rows[0].cells[column].classList.contains("n");

  const compare = (column, sign) => (a, b) => {
    const [one, other] = [text(a, column), text(b, column)];
    if (!numeric(column)) return sign * one.localeCompare(other, "en", { numeric: true });
    const [x, y] = [parseFloat(one), parseFloat(other)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // without a value: last
    return sign * (x - y);
  };

  const sort = (column) => {
    const ascending = heads[column].getAttribute("aria-sort") !== "ascending";
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    rows.sort(compare(column, ascending ? 1 : -1));
    body.append(...rows);
    cards.append(...rows.flatMap((row) => articles.get(row.dataset.id) || []));
  };

  const bound = (field, otherwise) => {
    const value = parseFloat(field.value.replace(",", "."));
    return Number.isNaN(value) ? otherwise : value;
  };

  const filter = () => {
    const { words, column, low, high, all } = form.elements;
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const texts = heads.map((head, n) => n).filter((n) => ["id", "name", "finders"].includes(heads[n].dataset.name));
    const place = heads.findIndex((head) => head.dataset.name === column.value);
    const [least, most] = [bound(low, -Infinity), bound(high, Infinity)];
    table.classList.toggle("few", !all.checked);
    let shown = 0;
    for (const row of rows) {
      const said = texts.map((n) => text(row, n).toLowerCase());
      let keep = wanted.every((word) => said.some((value) => value.includes(word)));
      if (keep && place >= 0 && (least > -Infinity || most < Infinity)) {
        const value = parseFloat(text(row, place));
        keep = value >= least && value <= most;
      }
      shown += keep;
      row.hidden = !keep;
      for (const article of articles.get(row.dataset.id) || []) article.hidden = !keep;
      for (const point of points.get(row.dataset.id) || []) point.classList.toggle("off", !keep);
    }
    count.value = `${shown} of ${rows.length} sources`;
  };

  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
})();
