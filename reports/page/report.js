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
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
window.addEventListener("hashchange", open);
open();
