"use strict";
// Sorting of tables, and opening of the cell that a link leads to.
document.querySelectorAll("table.sortable").forEach((table) => {
  table.querySelectorAll("th").forEach((th, column) => {
    let up = false;
    th.addEventListener("click", () => {
      up = !up;
      const key = (row) => {
        const cell = row.cells[column];
        const v = cell.dataset.v ?? cell.textContent;
        const n = parseFloat(v);
        return Number.isNaN(n) ? v : n;
      };
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const x = key(a), y = key(b);
        const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
});
const open = () => {
  // An id may hold what an address must escape, as the @ of a cell on a board.
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
window.addEventListener("hashchange", open);
open();
// Showing one target only.
const filter = document.getElementById("filter");
if (filter) {
  const apply = () => {
    document.querySelectorAll("[data-target]").forEach((e) => {
      e.hidden = filter.value !== "" && e.dataset.target !== filter.value;
    });
  };
  filter.addEventListener("change", apply);
  apply();
}
