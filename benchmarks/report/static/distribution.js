// One line per method: a dot per image, the box from the first to the third quartile, the median. Of many images those
// dots are drawn that are evenly spread over the order of the scores, the worst and the best among them.
const MOST_DOTS = 300;
function someOf(records, value) {
  if (records.length <= MOST_DOTS) return records;
  const sorted = [...records].sort((a, b) => value(a) - value(b));
  return Array.from({ length: MOST_DOTS }, (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MOST_DOTS - 1))]);
}

function quantile(sorted, share) {
  const place = (sorted.length - 1) * share, below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

function drawDistribution() {
  const m = metric(), { records, images } = setting();
  const rows = shownMethods().map((method) => ({
    method, points: records.method.flatMap((owner, r) => (owner === method.place && !missing(records[m?.name]?.[r]) ? [r] : [])),
  })).filter((row) => row.points.length);
  const nothing = m?.of_set ? `${m.title} is one value of a whole set of images: see the table.` : "Nothing to draw.";
  if (!rows.length) return $("distribution").replaceChildren(el("p", { class: "muted" }, nothing));
  const middle = (row) => quantile(row.points.map((r) => records[m.name][r]).sort((a, b) => a - b), 0.5);
  rows.sort((a, b) => (m.higher ? middle(b) - middle(a) : middle(a) - middle(b)));
  const label = `${m.title} of every image for ${rows.length} methods, sorted by their median: ${rows.map((row) => `${row.method.name} ${fixed(middle(row), m.decimals)}`).join(", ")}.`;
  const step = 26, top = 8;
  const { root, width, height } = figure($("distribution"), rows.length * step + 56, label);
  const letters = Math.min(40, Math.floor((width * 0.42 - 12) / 6.6));
  const left = Math.max(...rows.map((row) => short(row.method.name, letters).length)) * 6.6 + 12, right = width - 12, bottom = height - 46;
  const most = Math.max(...rows.map((row) => row.points.length));
  const some = most > MOST_DOTS ? `${MOST_DOTS} of ${most} ` : "";
  const values = spread(rows.flatMap((row) => row.points.map((r) => records[m.name][r])));
  const x = linear(values, left, right);
  xAxis(root, linearTicks(values, width < 500 ? 4 : 8), x, brief, top, bottom, width < 500 ? axisTitle(m) : `${axisTitle(m)}: dots are ${some}images, bar is the median`, right);
  rows.forEach((row, place) => {
    const y = top + step * (place + 0.5);
    const sorted = row.points.map((r) => records[m.name][r]).sort((a, b) => a - b);
    const [low, mid, high] = [0.25, 0.5, 0.75].map((share) => x(quantile(sorted, share)));
    root.append(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end", class: "halo" }, short(row.method.name, letters)),
      svg("rect", { class: "box", x: low, y: y - 8, width: Math.max(1, high - low), height: 16, rx: 2 }));
    for (const r of someOf(row.points, (r) => records[m.name][r])) {
      const dot = svg("circle", { class: "sample", cx: x(records[m.name][r]), cy: y, r: 3.5 });
      dot.addEventListener("click", () => showImage(records.image[r], row.method.place));
      root.append(tip(dot, `${row.method.name} on ${images[records.image[r]].name}\n${withUnit(records[m.name][r], m)}`));
    }
    root.append(svg("line", { class: "median", x1: mid, x2: mid, y1: y - 8, y2: y + 8 }));
  });
}
