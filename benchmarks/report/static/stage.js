// Two pictures under one view: a divider between them, zoom and pan in step.
const LARGEST_ZOOM = 24;
const view = { a: null, b: null, split: 0.5, zoom: 1, x: 0.5, y: 0.5, beside: false };
const stage = $("stage"), canvas = $("canvas"), divider = $("divider");

function panes() {
  const width = stage.clientWidth, gap = view.beside ? 4 : 0;
  const paneWidth = view.beside ? (width - gap) / 2 : width;
  const { width: w, height: h } = view.a;
  const height = Math.min((paneWidth * h) / w, Math.max(240, innerHeight * 0.72));
  return { width, gap, paneWidth, height, scale: Math.min(paneWidth / w, height / h) * view.zoom };
}

function draw() {
  if (!view.a) return;
  const { width, gap, paneWidth, height, scale } = panes();
  const density = devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.imageSmoothingEnabled = scale * density < 2;
  const edge = view.split * width;
  const parts = view.beside
    ? [[view.a, 0, 0, paneWidth], [view.b, paneWidth + gap, paneWidth + gap, paneWidth]]
    : [[view.a, 0, 0, edge], [view.b, 0, edge, width - edge]];
  for (const [picture, origin, clip, clipWidth] of parts) {
    context.save();
    context.beginPath();
    context.rect(clip, 0, clipWidth, height);
    context.clip();
    const left = origin + paneWidth / 2 - view.x * picture.width * scale, top = height / 2 - view.y * picture.height * scale;
    context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
    context.restore();
  }
  divider.hidden = view.beside;
  divider.style.left = `${100 * view.split}%`;
  const share = Math.round(100 * view.split);
  divider.setAttribute("aria-valuenow", share);
  divider.setAttribute("aria-valuetext", `${share}% ${$("name-a").textContent}, ${100 - share}% ${$("name-b").textContent}`);
  for (const part of [stage, stage.closest(".pictures")]) part.classList.toggle("beside", view.beside);
  stage.classList.toggle("zoomed", view.zoom > 1);
}
let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function keepInside() {
  const { paneWidth, height, scale } = panes();
  const limit = (value, shown) => (shown >= 1 ? 0.5 : Math.min(1 - shown / 2, Math.max(shown / 2, value)));
  view.x = limit(view.x, paneWidth / (view.a.width * scale));
  view.y = limit(view.y, height / (view.a.height * scale));
}
function pan(dx, dy) {
  const { scale } = panes();
  view.x -= dx / (view.a.width * scale);
  view.y -= dy / (view.a.height * scale);
  keepInside();
  redraw();
}
// Zoom so that the point of the picture under (left, top) of the stage stays where it is.
function zoom(factor, left, top) {
  if (!view.a) return;
  const { paneWidth, gap, height } = panes();
  const px = left === undefined ? 0 : (view.beside && left > paneWidth ? left - paneWidth - gap : left) - paneWidth / 2;
  const py = top === undefined ? 0 : top - height / 2;
  const before = panes().scale;
  view.zoom = Math.min(LARGEST_ZOOM, Math.max(1, view.zoom * factor));
  const after = panes().scale;
  view.x += (px / before - px / after) / view.a.width;
  view.y += (py / before - py / after) / view.a.height;
  keepInside();
  redraw();
}
function fit() {
  Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 });
  redraw();
}
function setSplit(split) {
  view.split = Math.min(1, Math.max(0, split));
  redraw();
}

// Pointers: one drags the divider or, zoomed in, the picture; two pinch.
const pointers = new Map();
let dragsDivider = false;
stage.addEventListener("pointerdown", (event) => {
  if (!view.a) return;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  dragsDivider = !view.beside && pointers.size === 1 && (event.target === divider || view.zoom === 1);
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
  const now = { x: event.clientX, y: event.clientY };
  const box = stage.getBoundingClientRect();
  if (others.length) {
    const [other] = others;
    const reach = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    zoom(reach(now) / reach(last), (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top);
  } else if (dragsDivider) {
    setSplit((now.x - box.left) / box.width);
  } else {
    pan(now.x - last.x, now.y - last.y);
  }
  pointers.set(event.pointerId, now);
});
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
stage.addEventListener("wheel", (event) => {
  // The wheel alone scrolls the page, unless the reader works in the picture.
  if (!event.ctrlKey && !event.metaKey && !stage.matches(":focus-within")) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

const STEPS = { ArrowLeft: -0.02, ArrowRight: 0.02, ArrowDown: -0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
divider.addEventListener("keydown", (event) => {
  if (!(event.key in STEPS)) return;
  event.preventDefault();
  event.stopPropagation();
  setSplit(view.split + STEPS[event.key]);
});
const KEYS = {
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
  ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
};
stage.addEventListener("keydown", (event) => {
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || !view.a) return;
  if (event.key.startsWith("Arrow") && view.zoom === 1) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("zoom-in").addEventListener("click", () => zoom(1.5));
$("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
$("zoom-fit").addEventListener("click", fit);
$("layout").addEventListener("change", () => { view.beside = $("layout").value === "beside"; fit(); });
new ResizeObserver(redraw).observe(stage);
