// How far each method is from the best, against the task's level, where a run, or the settings on one set together,
// have several levels. Both are of the same image.
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

const onThisSet = () => data.settings.filter((one) => one.dataset === setting().dataset);

// The place of the best method of a setting that is no oracle and has every image.
function bestOf({ methods, images, records }, m) {
  const sign = m.higher ? 1 : -1;
  const whole = (place) => records.method.filter((owner, r) => owner === place && !missing(records[m.name]?.[r])).length === images.length;
  const ranked = methods.map((method, place) => place).filter((place) => methods[place].kind !== "oracle" && !missing(methods[place].scores[m.name]));
  ranked.sort((a, b) => sign * (methods[b].scores[m.name] - methods[a].scores[m.name]));
  return ranked.find(whole) ?? -1;
}

function levelPoints(name, m) {
  return onThisSet().flatMap((one) => {
    const { methods, records, level, at } = one, best = bestOf(one, m);
    const place = methods.findIndex((method) => method.name === name);
    return records.method.flatMap((owner, r) => {
      const value = records[m.name]?.[r], where = records[level.name][r];
      const other = records[m.name]?.[at[records.image[r]][best]];
      return owner === place && !missing(value) && !missing(where) && !missing(other) ? [[where, value - other]] : [];
    });
  });
}

function drawLevel() {
  const m = metric(), { level } = setting();
  const honest = m && level ? shownMethods().filter((method) => method.kind !== "oracle" && !missing(method.scores[m.name])) : [];
  const rows = (honest.length ? contenders(honest, m) : []).map((method) => ({ method, points: levelPoints(method.name, m) })).filter((row) => new Set(row.points.map(([at]) => at)).size > 1);
  const levels = new Set(rows.flatMap((row) => row.points.map(([at]) => at)));
  $("level-figure").hidden = levels.size < 2;
  if (levels.size < 2) return;
  const drawn = rows.slice(0, MOST).map((row) => ({ ...row, line: trend(row.points), name: short(row.method.name) }));
  const label = `${m.title}, difference to the best on the same images, against ${level.title} for ${drawn.map((row) => row.method.name).join(", ")}.`;
  const wide = Math.max(280, $("level").clientWidth), beside = wide > 420;
  const height = beside ? 400 : 400 + 18 * drawn.length;
  const names = Math.max(...drawn.map((row) => textWidth(row.name))) + 34;
  const [left, right, top, bottom] = [44, beside ? wide - names : wide - 10, 24, height - (beside ? 46 : 46 + 18 * drawn.length)];
  const { root } = figure($("level"), height, label);
  const span = spread([...levels]), x = linear(span, left, right);
  const values = spread([0, ...drawn.flatMap((row) => row.line.map(([, value]) => value))]), y = linear(values, bottom, top + 6);
  xAxis(root, linearTicks(span), x, brief, top, bottom, level.title, right);
  yAxis(root, linearTicks(values), y, brief, left, right, `${m.title}${m.unit ? " " + m.unit : ""}, difference to the best (${m.higher ? "higher" : "lower"} is better)`);
  root.append(svg("line", { class: "zero", x1: left, x2: right, y1: y(0), y2: y(0) }));
  const ends = drawn.map(({ line }) => y(line.at(-1)[1]));
  const heights = spreadOut(ends, 17, top + 8, bottom);
  drawn.forEach(({ method, line, name, points }, place) => {
    const colour = LINES[place % LINES.length], dash = place < LINES.length ? null : "5 4";
    root.append(svg("path", { d: line.map(([s, v], i) => `${i ? "L" : "M"}${x(s)},${y(v)}`).join(""), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash }));
    // A curve through single images shows them; means are what the line connects.
    const few = points.length <= 2 * levels.size;
    for (const [s, v] of few ? points : line) {
      if (v < values[0] || v > values[1]) continue;
      root.append(tip(svg("circle", { cx: x(s), cy: y(v), r: few ? 2.5 : 3.5, fill: colour, "fill-opacity": few ? 0.6 : 1 }), `${method.name}, ${level.name} ${brief(s)}\n${signed(v, m.decimals)} ${m.unit}`));
    }
    const [tx, ty] = beside ? [right + 10, heights[place]] : [left, bottom + 58 + 18 * place];
    if (beside) root.append(svg("line", { class: "leader", x1: x(line.at(-1)[0]), y1: ends[place], x2: tx, y2: ty }));
    root.append(svg("path", { d: `M${tx},${ty}h14`, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash }), svg("text", { x: tx + 19, y: ty + 4 }, name));
  });
  const best = [...new Set(onThisSet().map((one) => one.methods[bestOf(one, m)]?.name).filter(Boolean))].join(", ");
  const left_out = rows.length > drawn.length ? ` Drawn are the first ${MOST} of ${rows.length}; filter for others.` : "";
  $("level").append(el("p", { class: "muted" }, `0 is the best of the setting by its mean (${best}).${left_out}`));
}
