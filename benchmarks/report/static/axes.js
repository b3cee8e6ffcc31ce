// What all figures share: size, scales, ticks, the small box with a number.
const spread = (values) => {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
};
const linear = ([low, high], from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

function linearTicks([low, high], count = 6) {
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((candidate) => candidate >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step); tick * step <= high; tick++) ticks.push(Number((tick * step).toPrecision(12)));
  return ticks;
}
const powersOfTen = ([low, high]) => {
  const ticks = [];
  for (let power = Math.ceil(low); power <= high; power++) ticks.push(power);
  return ticks;
};
const seconds = (power) => (power < -3 ? `${brief(10 ** (power + 6))} µs` : power < 0 ? `${brief(10 ** (power + 3))} ms` : `${10 ** power} s`);

// An empty figure in its container, as wide as that is; `label` is what a screen reader says.
function figure(container, height, label) {
  const width = Math.max(280, container.clientWidth);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  container.replaceChildren(root);
  return { root, width, height };
}
function xAxis(root, ticks, scale, write, top, bottom, title, right) {
  for (const tick of ticks) {
    root.append(svg("g", { class: "tick", transform: `translate(${scale(tick)},0)` },
      svg("line", { y1: top, y2: bottom }), svg("text", { y: bottom + 16, "text-anchor": "middle" }, write(tick))));
  }
  root.append(svg("text", { class: "axis", x: right, y: bottom + 34, "text-anchor": "end" }, title));
}
function yAxis(root, ticks, scale, write, left, right, title) {
  for (const tick of ticks) {
    root.append(svg("g", { class: "tick", transform: `translate(0,${scale(tick)})` },
      svg("line", { x1: left, x2: right }), svg("text", { x: left - 6, y: 4, "text-anchor": "end" }, write(tick))));
  }
  root.append(svg("text", { class: "axis", x: 0, y: 12 }, title));
}
const axisTitle = (m) => `${m.title}${m.unit ? " " + m.unit : ""} (${m.higher ? "higher" : "lower"} is better)`;
// A name in a figure: one with long parameters keeps both its ends.
const short = (name, letters = 26) => (name.length > letters ? `${name.slice(0, letters - 9)}…${name.slice(-8)}` : name);
const shade = (phi) => `rgb(${data.colours.phi[Math.round(255 * Math.min(1, Math.max(0, phi)))].join(" ")})`;

function tip(node, text) {
  node.dataset.tip = text;
  return node;
}
document.addEventListener("pointerover", (event) => {
  const text = event.target.dataset?.tip;
  $("tip").hidden = !text;
  if (!text) return;
  $("tip").textContent = text;
  const { right, top } = event.target.getBoundingClientRect();
  const box = $("tip").getBoundingClientRect();
  $("tip").style.left = `${Math.min(right + 8, innerWidth - box.width - 8)}px`;
  $("tip").style.top = `${Math.max(4, top - box.height - 4)}px`;
});
