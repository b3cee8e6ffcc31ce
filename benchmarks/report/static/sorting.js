// Tables: sorted by a click on a head, what has no number last; one wider than its place says so.
function compare(a, b, descending) {
  const none = (value) => value === null || value === "";
  if (none(a) || none(b)) return none(a) - none(b);
  const order = typeof a === "string" || typeof b === "string"
    ? String(a).localeCompare(String(b), "en", { numeric: true }) : a - b;
  return descending ? -order : order;
}

function sortable(table, sort) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("button")?.closest("th");
    if (!head) return;
    const before = head.getAttribute("aria-sort");
    const direction = before ? (before === "ascending" ? "descending" : "ascending") : head.dataset.first;
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    sort(head, direction === "descending");
  });
}

function sortLines(head, descending) {
  const body = head.closest("table").tBodies[0];
  const numeric = head.classList.contains("number");
  const key = (row) => {
    const value = row.cells[head.cellIndex].dataset.value;
    return numeric && value !== "" ? Number(value) : value;
  };
  body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b), descending)));
}
for (const table of document.querySelectorAll("table.sortable:not(#records-table)")) sortable(table, sortLines);

// Why a table seems to end: there is more of it to the right.
const told = new ResizeObserver((entries) => entries.forEach(({ target }) => tellWidth(target.closest(".scroll"))));
function tellWidth(scroll) {
  const wide = scroll.scrollWidth > scroll.clientWidth + 1;
  if (!scroll.hint) scroll.before((scroll.hint = el("p", { class: "muted sideways" }, "Scroll the table sideways for more columns →")));
  scroll.hint.hidden = !wide;
  scroll.classList.toggle("more", wide && scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 1);
}
for (const scroll of document.querySelectorAll(".scroll")) {
  scroll.addEventListener("scroll", () => tellWidth(scroll), { passive: true });
  told.observe(scroll);
  told.observe(scroll.querySelector("table"));
}
