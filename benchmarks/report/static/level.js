// Quality against the task's level, where a run, or the settings on one set together, have several.
// Okabe and Ito's colours, told apart with every kind of colour vision; dashes for a second round.
const LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const MOST = 8;

// Mean per level if one is shared by several images, else a quadratic through all.
function trend(points) {
  const byLevel = new Map();
  for (const [level, value] of points) byLevel.set(level, [...(byLevel.get(level) ?? []), value]);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const means = [...byLevel].map(([level, values]) => [level, mean(values)]).sort((a, b) => a[0] - b[0]);
  if (means.length < 4 || points.length > 2 * means.length) return means;
  const power = (n) => means.reduce((sum, [s]) => sum + s ** n, 0);
  const moment = (n) => means.reduce((sum, [s, v]) => sum + v * s ** n, 0);
  const rows = [0, 1, 2].map((i) => [power(i), power(i + 1), power(i + 2), moment(i)]);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      if (j === i) continue;
      const factor = rows[j][i] / rows[i][i];
      rows[j] = rows[j].map((value, k) => value - factor * rows[i][k]);
    }
  }
  const [a, b, c] = rows.map((row, i) => row[3] / row[i]);
  const [low, high] = [means[0][0], means.at(-1)[0]];
  return Array.from({ length: 33 }, (_, i) => low + ((high - low) * i) / 32).map((s) => [s, a + b * s + c * s * s]);
}

function levelPoints(name, m) {
  return data.settings.filter((one) => one.dataset === setting().dataset).flatMap(({ methods, records, level }) => {
    const place = methods.findIndex((method) => method.name === name);
    return records.method.flatMap((owner, r) => {
      const value = records[m.name]?.[r], at = records[level.name][r];
      return owner === place && !missing(value) && !missing(at) ? [[at, value]] : [];
    });
  });
}

function drawLevel() {
  const m = metric(), { level } = setting();
  const rows = m && level ? shownMethods().filter((method) => method.kind !== "oracle").map((method) => ({ method, points: levelPoints(method.name, m) })) : [];
  const levels = new Set(rows.flatMap((row) => row.points.map(([at]) => at)));
  $("level-figure").hidden = levels.size < 2;
  if (levels.size < 2) return;
  const drawn = rows.filter((row) => row.points.length).slice(0, MOST);
  const label = `${m.title} against ${level.title} for ${drawn.map((row) => row.method.name).join(", ")}.`;
  const { root, width, height } = figure($("level"), 400, label);
  const names = Math.max(...drawn.map((row) => short(row.method.name).length)) * 6.6 + 30;
  const beside = width > 420;
  const [left, right, top, bottom] = [44, beside ? width - names : width - 10, 24, height - (beside ? 46 : 46 + 18 * drawn.length)];
  const x = linear(spread([...levels]), left, right);
  const values = spread(drawn.flatMap((row) => row.points.map(([, value]) => value)));
  const y = linear(values, bottom, top + 6);
  xAxis(root, linearTicks(spread([...levels])), x, brief, top, bottom, level.title, right);
  yAxis(root, linearTicks(values), y, brief, left, right, axisTitle(m));
  drawn.forEach(({ method, points }, place) => {
    const colour = LINES[place % LINES.length], dash = place < LINES.length ? null : "5 4";
    const line = trend(points).map(([s, v], i) => `${i ? "L" : "M"}${x(s)},${y(v)}`).join("");
    root.append(svg("path", { d: line, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash }));
    for (const [s, v] of points) root.append(tip(svg("circle", { cx: x(s), cy: y(v), r: 2.5, fill: colour, "fill-opacity": 0.6 }), `${method.name}, ${level.name} ${brief(s)}\n${withUnit(v, m)}`));
    const [tx, ty] = beside ? [right + 8, top + 16 + 19 * place] : [left, bottom + 58 + 18 * place];
    root.append(svg("path", { d: `M${tx},${ty - 4}h16`, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash }), svg("text", { x: tx + 22, y: ty }, short(method.name)));
  });
  if (rows.length > drawn.length) root.append(svg("text", { class: "axis", x: right, y: top - 12, "text-anchor": "end" }, `the first ${MOST} of the table; filter for others`));
}
