// What the tables of a report show: methods as filtered, and every record.
follow(() => {
  for (const part of document.querySelectorAll(".of-setting")) part.hidden = Number(part.dataset.setting) !== state.setting;
  const names = new Set(shownMethods().map((method) => method.name));
  for (const row of document.querySelectorAll(`.of-setting[data-setting="${state.setting}"] tr[data-method]`)) {
    row.hidden = !names.has(row.dataset.method);
  }
  $("shown").value = `${names.size} of ${setting().methods.length} methods`;
});

// Every record: long, so drawn a page at a time.
const PAGE = 50;
const listing = { key: null, descending: false, lines: PAGE };

function recordColumns() {
  const { records, level, methods, images } = setting();
  const number = (key, head, write, signature = "", first = "ascending") =>
    ({ key, head, signature, first, value: (r) => records[key][r], text: (r) => write(records[key][r]) });
  const columns = [
    { key: "image", head: "Image", word: true, first: "ascending", value: (r) => images[records.image[r]].name },
    { key: "method", head: "Method", word: true, first: "ascending", value: (r) => methods[records.method[r]].name },
  ];
  if (level && new Set(records[level.name]).size > 1) columns.push(number(level.name, level.name, brief, level.title));
  for (const m of imageMetrics()) {
    const head = `${m.title}${m.unit ? " " + m.unit : ""} ${m.higher ? "↑" : "↓"}`;
    columns.push(number(m.name, head, (v) => fixed(v, m.decimals), m.signature, m.higher ? "descending" : "ascending"));
  }
  columns.push(number("phi_mean", "φ mean", (v) => fixed(v, 3)), number("seconds", "Seconds", brief));
  if (records.error.some(Boolean)) {
    columns.push({ key: "error", head: "Error", word: true, first: "descending", value: (r) => records.error[r] });
  }
  return columns;
}

// The records that match the filter, in the chosen order.
function listedRecords() {
  const columns = recordColumns();
  const wanted = words($("records-filter").value);
  const text = (r) => `${columns[0].value(r)} ${columns[1].value(r)} ${setting().records.error[r]}`;
  let rows = setting().records.image.map((_, r) => r).filter((r) => matches(text(r), wanted));
  const by = columns.find((column) => column.key === listing.key);
  if (by) rows = rows.sort((a, b) => compare(by.value(a), by.value(b), listing.descending));
  return rows;
}

function drawRecords() {
  const columns = recordColumns(), rows = listedRecords();
  const line = (r) => el("tr", {}, ...columns.map((column) => {
    if (column.key === "image") {
      const link = el("button", { type: "button", class: "link" }, column.value(r));
      link.addEventListener("click", () => showImage(setting().records.image[r], setting().records.method[r]));
      return el("th", { scope: "row", class: "word" }, link);
    }
    const kind = column.key === "error" ? "failed" : column.word ? "word" : "number";
    return el("td", { class: kind }, column.text ? column.text(r) : column.value(r));
  }));
  $("records-table").tBodies[0].replaceChildren(...rows.slice(0, listing.lines).map(line));
  $("records-shown").value = `${Math.min(rows.length, listing.lines)} of ${rows.length} results`;
  $("records-more").hidden = rows.length <= listing.lines;
}

function drawRecordHeads() {
  const heads = recordColumns().map((column) => {
    const head = el("th", { scope: "col", "data-key": column.key, "data-first": column.first, class: column.word ? "word" : "number" },
      el("button", { type: "button" }, column.head, el("span", { class: "order", "aria-hidden": "true" })));
    if (column.signature) head.append(el("small", {}, column.signature));
    return head;
  });
  $("records-table").tHead.replaceChildren(el("tr", {}, ...heads));
  Object.assign(listing, { key: null, lines: PAGE });
  drawRecords();
}

sortable($("records-table"), (head, descending) => {
  Object.assign(listing, { key: head.dataset.key, descending });
  drawRecords();
});
$("records-filter").addEventListener("input", () => { listing.lines = PAGE; drawRecords(); });
$("records-more").addEventListener("click", () => { listing.lines += 4 * PAGE; drawRecords(); });
