// Quality against seconds per image; the front is of the methods that nothing beats in both, oracles aside.
function paretoFront(methods, m) {
  let best = null;
  return [...methods].filter((method) => method.kind !== "oracle").sort((a, b) => a.seconds - b.seconds).filter((method) => {
    const value = m.higher ? method.scores[m.name] : -method.scores[m.name];
    if (best !== null && value <= best) return false;
    best = value;
    return true;
  });
}

function drawPareto() {
  const m = metric();
  const every = shownMethods().filter((method) => method.seconds > 0 && !missing(method.scores[m?.name]));
  $("reach-said").value = "";
  if (!every.length) return $("pareto").replaceChildren(el("p", { class: "muted" }, "Nothing to draw."));
  const methods = contenders(every, m);
  const rule = m.margin === null ? "those in the better half of the range" : `those within ${m.margin} ${m.unit} of the best`;
  if (methods.length < every.length) $("reach-said").value = `${methods.length} of ${every.length} methods: ${rule}.`;
  const front = paretoFront(methods, m);
  const label = `${m.title} against seconds per image for ${methods.length} methods. No method beats these in both: ${front.map((f) => f.name).join(", ")}.`;
  const wide = Math.max(280, $("pareto").clientWidth), frame = { left: 40, right: wide - 4, top: 20 };
  const times = spread(methods.map((method) => Math.log10(method.seconds)));
  const values = spread(methods.map((method) => method.scores[m.name]));
  const x = linear(times, 52, wide - 18);
  // As high as it takes for every name to have a place.
  let height, dots, placed, y;
  const last = Math.max(1080, 100 + 24 * methods.length);
  for (height of [400, 480, 580, 700, 860, last]) {
    frame.bottom = height - 66;
    y = linear(values, frame.bottom - 6, frame.top + 10);
    dots = methods.map((method) => ({
      method, x: x(Math.log10(method.seconds)), y: y(method.scores[m.name]), name: short(method.name, wide < 500 ? 20 : 26),
      weight: front.includes(method) ? 600 : 400,
    })).sort((a, b) => b.weight - a.weight);
    placed = placeNames(dots, frame, 90, height === last);
    if (placed.length === dots.length) break;
  }
  const { root } = figure($("pareto"), height, label);
  xAxis(root, powersOfTen(times), x, seconds, frame.top, frame.bottom, "seconds per image, one thread", wide - 10);
  yAxis(root, linearTicks(values), y, brief, 44, wide - 10, axisTitle(m));
  const steps = dots.filter((dot) => dot.weight === 600).sort((a, b) => a.x - b.x);
  if (steps.length) {
    const path = steps.map((dot, place) => (place ? `H${dot.x}V${dot.y}` : `M${dot.x},${dot.y}`)).join("") + `H${wide - 10}`;
    root.append(svg("path", { class: "front", d: path }));
  }
  drawNames(root, placed);
  for (const { method, x: cx, y: cy } of dots) {
    const hidden = missing(method.phi);
    const dot = svg("circle", { cx, cy, r: 5.5, class: hidden ? "ring" : "dot", fill: hidden ? null : shade(method.phi) });
    const phi = hidden ? "hides φ" : `mean φ ${fixed(method.phi, 3)}`;
    root.append(tip(dot, `${method.name}\n${withUnit(method.scores[m.name], m)}, ${brief(method.seconds)} s, ${phi}`));
  }
  const bar = svg("g", { transform: `translate(8,${height - 14})` });
  for (let step = 0; step < 40; step++) bar.append(svg("rect", { x: 26 + step * 1.5, y: -9, width: 1.7, height: 9, fill: shade(step / 39) }));
  bar.append(svg("text", { x: 0, y: 0 }, "φ 0"), svg("text", { x: 91, y: 0 }, "1"),
    svg("circle", { cx: 114, cy: -4, r: 5, class: "ring" }), svg("text", { x: 124, y: 0 }, "φ hidden"),
    svg("path", { d: "M186,-4h18", class: "front" }), svg("text", { x: 210, y: 0 }, "Pareto front"));
  root.append(bar);
}
