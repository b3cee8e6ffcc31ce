// Files to take away: tables as they were made with the report, results and figures as they are shown.
function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// A figure by itself: it takes its looks with it.
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "paint-order", "font-family", "font-size", "font-weight"];
function drawing(root) {
  const copy = root.cloneNode(true), { width, height } = root.viewBox.baseVal;
  const [from, to] = [root, copy].map((one) => [one, ...one.querySelectorAll("*")]);
  from.forEach((node, place) => {
    const looks = getComputedStyle(node);
    to[place].setAttribute("style", LOOKS.map((name) => `${name}:${looks.getPropertyValue(name)}`).join(";"));
    to[place].removeAttribute("class");
    delete to[place].dataset.tip;
  });
  fill(copy, { width, height, xmlns: SVG }, []);
  copy.prepend(svg("rect", { width, height, fill: getComputedStyle(root.closest("figure")).backgroundColor }));
  return new XMLSerializer().serializeToString(copy);
}

// A cell of a CSV file; a spreadsheet shows a text and computes nothing.
const cell = (value) => {
  const text = missing(value) ? "" : typeof value === "string" && /^[=+\-@\t']/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (columns, rows) => [columns.map((column) => cell(column.key)), ...rows.map((r) => columns.map((column) => cell(column.value(r))))].map((line) => line.join(",")).join("\n") + "\n";

document.addEventListener("click", (event) => {
  const { file, svg: id } = event.target.dataset ?? {};
  if (file) save(file, data.files[file], "text/plain");
  if (id && $(id).firstElementChild?.viewBox) save(`${id}.svg`, drawing($(id).firstElementChild), "image/svg+xml");
});
$("records-csv").addEventListener("click", () => save("records.csv", csv(recordColumns(), listedRecords()), "text/csv"));
