// Names beside dots: every one has a place, and covers neither another nor a dot.
const pen = document.createElement("canvas").getContext("2d");
function textWidth(text, weight = 400) {
  pen.font = `${weight} 12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

// Where a name may stand: at its dot, else on growing rings around it.
const BESIDE = [[9, 4, "start"], [-9, 4, "end"], [0, -10, "middle"], [0, 19, "middle"], [8, -8, "start"], [-8, -8, "end"], [8, 16, "start"], [-8, 16, "end"]];
function* offsets(reach) {
  yield* BESIDE;
  for (let radius = 24; radius < reach; radius += 8) {
    for (let turn = 0; turn < 16; turn++) {
      const [dx, dy] = [radius * Math.cos((turn * Math.PI) / 8), radius * Math.sin((turn * Math.PI) / 8)];
      yield [dx, dy + 4, Math.abs(dx) < 8 ? "middle" : dx > 0 ? "start" : "end"];
    }
  }
}

// The lines of a frame, nearest first, each flush left and flush right.
function rows(x, y, left, right, top, bottom) {
  const heights = Array.from({ length: Math.floor((bottom - top) / 15) }, (_, place) => top + 12 + 15 * place);
  heights.sort((a, b) => Math.abs(a - y) - Math.abs(b - y));
  return heights.flatMap((height) => [[left + 2 - x, height - y, "start"], [right - 2 - x, height - y, "end"]]);
}

const apart = (a, b) => a.left >= b.right || a.right <= b.left || a.top >= b.bottom || a.bottom <= b.top;
function along(x, y, tx, ty) {
  return Array.from({ length: 9 }, (_, i) => (i + 1) / 10).map((share) => [x + share * (tx - x), y + share * (ty - y)])
    .map(([px, py]) => ({ left: px - 1, right: px + 1, top: py - 1, bottom: py + 1 }));
}

// The places of all names within a frame and no further than `reach` from their dots, or as many as there are. `lenient`:
// anywhere in the frame, and a line to a dot may cross a name.
function placeNames(dots, { left, right, top, bottom }, reach, lenient) {
  const marks = dots.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
  const names = [], lines = [], placed = [];
  for (const dot of dots) {
    const { x, y, name, weight } = dot, width = textWidth(name, weight);
    for (const [dx, dy, anchor] of [...offsets(reach), ...(lenient ? rows(x, y, left, right, top, bottom) : [])]) {
      const start = x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      const box = { left: start - 1, right: start + width + 1, top: y + dy - 11, bottom: y + dy + 3 };
      if (box.left < left || box.right > right || box.top < top || box.bottom > bottom) continue;
      if (![...marks, ...names, ...(lenient ? [] : lines)].every((other) => apart(box, other))) continue;
      const far = Math.hypot(dx, dy - 4) > 20, line = far ? along(x, y, x + dx, y + dy - 4) : [];
      if (!lenient && !line.every((point) => names.every((other) => apart(point, other)))) continue;
      names.push(box);
      lines.push(...line);
      placed.push({ ...dot, tx: x + dx, ty: y + dy, anchor, far });
      break;
    }
  }
  return placed;
}

function drawNames(root, placed) {
  for (const { x, y, tx, ty, far } of placed) if (far) root.append(svg("line", { class: "leader", x1: x, y1: y, x2: tx, y2: ty - 4 }));
  for (const { tx, ty, anchor, weight, name } of placed) {
    root.append(svg("text", { class: "halo", x: tx, y: ty, "text-anchor": anchor, "font-weight": weight }, name));
  }
}

// Heights of names in a column, each as near to its own as the others let it be.
function spreadOut(heights, gap, top, bottom) {
  const order = heights.map((_, place) => place).sort((a, b) => heights[a] - heights[b]);
  const out = [];
  order.reduce((last, place) => (out[place] = Math.max(heights[place], last + gap)), top - gap);
  order.reduceRight((next, place) => (out[place] = Math.min(out[place], next - gap)), bottom + gap);
  return out;
}
