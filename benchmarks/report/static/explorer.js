// The image explorer: two pictures, an order of the images, an overlay, the scores.
const explorer = { image: null, ticket: 0 };
// A film of more images is too long to walk along, and slow to draw.
const LONGEST_FILM = 400;
const labelOf = (key) => (key.startsWith("x:") ? key.slice(2) : key.startsWith("g:") ? `prior of ${key.slice(2)}` : key);

function fillSides() {
  const { methods, images } = setting();
  const kept = new Set(images.flatMap((image) => image.layers));
  const group = (label, keys) => (keys.length ? [el("optgroup", { label }, ...keys.map((key) => el("option", { value: key }, labelOf(key))))] : []);
  const groups = () => [
    ...group("Restored", methods.map((method) => "x:" + method.name)),
    ...group("Inputs", ["clean", "degraded"].filter((key) => kept.has(key))),
    ...group("Prior g of", methods.map((method) => "g:" + method.name).filter((key) => kept.has(key))),
  ];
  const before = [$("side-a").value, $("side-b").value];
  $("side-a").replaceChildren(...groups());
  $("side-b").replaceChildren(...groups());
  // At first the best that says what is prior beside the best of all; later what was chosen, where it is.
  const best = methods.find((method) => method.kind !== "oracle") ?? methods[0];
  const open = methods.find((method) => method.kind === "phi" && method !== best) ?? methods.find((method) => method !== best) ?? best;
  [["side-a", before[0], open], ["side-b", before[1], best]].forEach(([id, old, first]) => {
    $(id).value = old;
    if (!$(id).value) $(id).value = "x:" + first.name;
  });
}

function criterion(order, byScore) {
  const m = imageMetric(), [a, b] = [labelOf($("side-a").value), labelOf($("side-b").value)];
  const what = {
    differ: byScore ? `|${a} − ${b}| in ${m?.title}, since not every image has its pixels` : `root mean square difference of ${a} and ${b}, of 255`,
    "a-worst": `${m?.title} of ${a}, worst first`,
    "a-best": `${m?.title} of ${a}, best first`,
    "b-gains": `${m?.title} of ${b} over ${a}, largest gain first`,
    "a-gains": `${m?.title} of ${a} over ${b}, largest gain first`,
    name: "name",
  }[order];
  const all = setting().images.length;
  return `${all > LONGEST_FILM ? `The first ${LONGEST_FILM} of ` : ""}${all} images, ordered by ${what}.`;
}

function fillFilm(keep) {
  const order = $("order").value, m = imageMetric();
  const { places: all, by, byScore } = ordering(order, $("side-a").value, $("side-b").value);
  const places = all.slice(0, LONGEST_FILM);
  if (keep && explorer.image !== null && !places.includes(explorer.image)) places.push(explorer.image);
  const amount = (image) => {
    const value = by(image);
    if (missing(value)) return "";
    if (order === "differ" && !byScore) return `differ by ${value.toFixed(1)}`;
    if (order.endsWith("gains")) return `gain ${signed(value, m.decimals)}`;
    if (order === "differ") return `differ by ${fixed(value, m.decimals)}`;
    return withUnit(Math.abs(value), m);
  };
  const bare = setting().images.every((image) => !image.layers.length);
  $("explorer").classList.toggle("bare", bare);
  $("without").hidden = !bare;
  $("film").replaceChildren(...places.map((image) => {
    const { name, thumbnail } = setting().images[image];
    const picture = thumbnail ? el("img", { src: thumbnail, alt: "" }) : bare ? "" : el("span", { class: "blank" });
    const option = el("div", { role: "option", "data-image": image, tabindex: -1, title: name }, picture, el("b", {}, name), amount(image));
    option.addEventListener("click", () => pick(image));
    return option;
  }));
  $("criterion").textContent = criterion(order, byScore);
  pick(keep && explorer.image !== null ? explorer.image : places[0]);
}

function pick(image) {
  explorer.image = image;
  for (const option of $("film").children) {
    const selected = Number(option.dataset.image) === image;
    option.setAttribute("aria-selected", String(selected));
    option.tabIndex = selected ? 0 : -1;
    if (selected) $("film").scrollTo({ left: option.offsetLeft - $("film").offsetLeft - 8 });
  }
  showPictures();
}
$("film").addEventListener("keydown", (event) => {
  const options = [...$("film").children];
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: options.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  if (!options[next]) return;
  pick(Number(options[next].dataset.image));
  options[next].focus();
});

function showScores(a, b) {
  const image = explorer.image;
  const lines = imageMetrics().map((m) => [`${m.title}${m.unit ? " " + m.unit : ""} ${m.higher ? "↑" : "↓"}`, m.name, m.decimals]);
  lines.push(["φ mean", "phi_mean", 3]);
  $("scores").tBodies[0].replaceChildren(...lines.map(([head, name, digits]) => {
    const [x, y] = [scoreOf(image, a, name), scoreOf(image, b, name)];
    const gap = missing(x) || missing(y) ? null : y - x;
    return el("tr", {}, el("th", { scope: "row" }, el("span", { class: "label" }, head)), ...[fixed(x, digits), fixed(y, digits), signed(gap, digits)].map((text) => el("td", { class: "number" }, text)));
  }));
  $("scores-a").replaceChildren(el("span", { class: "label" }, labelOf(a)));
  $("scores-b").replaceChildren(el("span", { class: "label" }, labelOf(b)));
  $("scores-caption").textContent = `Scores on ${setting().images[image].name}`;
}

// What is known about the two over all images: the difference, its interval, the corrected test.
function showPair(a, b) {
  const m = imageMetric(), [one, other] = [a, b].map((key) => setting().methods[methodOf(key)]?.name);
  const pair = one && other && setting().pairs.find(([name, row, rest]) => name === m.name && ((row === one && rest === other) || (row === other && rest === one)));
  if (!pair) { $("pair").textContent = ""; return; }
  const turned = pair[1] === one;
  const [, , , images, difference, low, high, wins, p] = pair;
  const [d, l, h, w] = turned ? [-difference, missing(high) ? null : -high, missing(low) ? null : -low, 1 - wins] : [difference, low, high, wins];
  const range = missing(l) ? "" : ` [${signed(l, m.decimals)}, ${signed(h, m.decimals)}]`;
  const test = m.undecided ? `; ${m.undecided}` : missing(p) ? "" : `; signed-rank test, Holm over all pairs: p = ${p < 0.001 ? "< 0.001" : p.toFixed(3)}`.replace("= <", "<");
  $("pair").textContent = `Over ${images} images, ${other} − ${one}: ${signed(d, m.decimals)} ${m.unit}${range}, better on ${Math.round(100 * w)}%${test}.`;
}

function nothing(text) {
  view.a = view.b = null;
  canvas.hidden = divider.hidden = true;
  $("legend").hidden = true;
  $("no-picture").hidden = false;
  $("no-picture").textContent = text;
}

function why(image, key) {
  const { name, layers } = setting().images[image];
  const record = setting().at[image][methodOf(key)];
  const error = record === undefined ? "" : setting().records.error[record];
  if (error) return `${labelOf(key)} failed on ${name}: ${error}`;
  if (layers.includes(key)) return `${name} did not fit into this file: make the report again with a larger --max-mb.`;
  return `${labelOf(key)} of ${name} was not kept: run again with --save-images to look at it.`;
}

async function showPictures() {
  const ticket = ++explorer.ticket, image = explorer.image;
  const [a, b] = [$("side-a").value, $("side-b").value];
  showScores(a, b);
  showPair(a, b);
  const number = (key) => (missing(scoreOf(image, key)) ? "" : `  ${withUnit(scoreOf(image, key), imageMetric())}`);
  $("name-a").textContent = labelOf(a) + number(a);
  $("name-b").textContent = labelOf(b) + number(b);
  const kind = $("overlay").value;
  const phi = (key) => (key.startsWith("x:") ? pixels(image, `${kind}:${key.slice(2)}`) : null);
  const [one, other, clean, phiA, phiB] = await Promise.all([pixels(image, a), pixels(image, b), pixels(image, "clean"), phi(a), phi(b)]);
  if (ticket !== explorer.ticket) return;
  const absent = [a, b].filter((_, side) => ![one, other][side]);
  if (absent.length) return nothing(why(image, absent[0]));
  canvas.hidden = false;
  $("no-picture").hidden = true;
  const maps = {
    none: () => [null, null],
    phi: () => [phiA, phiB].map((map) => map && level(map)),
    implied: () => [phiA, phiB].map((map) => map && level(map)),
    error: () => (clean ? [distance(one, clean), distance(other, clean)] : [null, null]),
    difference: () => { const map = distance(one, other); return [map, map]; },
  }[kind]();
  const end = kind === "error" || kind === "difference" ? scaleEnd(maps) : 1;
  const strength = Number($("strength").value) / 100;
  view.a = compose(one, maps[0], end, data.colours[MAPS[kind]], strength);
  view.b = compose(other, maps[1], end, data.colours[MAPS[kind]], strength);
  showLegend(kind, end, [a, b].filter((_, side) => !maps[side]));
  const difference = differenceOf(image, a, b);
  const apart = difference === null ? "" : `, root mean square difference ${difference.toFixed(1)} of 255`;
  canvas.setAttribute("aria-label", `${setting().images[image].name}: left ${$("name-a").textContent}, right ${$("name-b").textContent}${apart}`);
  redraw();
}

function showLegend(kind, end, without) {
  $("legend").hidden = kind === "none";
  if (kind === "none") return;
  const context = $("ramp").getContext("2d"), row = context.createImageData(256, 1);
  data.colours[MAPS[kind]].forEach((colour, i) => row.data.set([...colour, 255], 4 * i));
  context.putImageData(row, 0, 0);
  const share = kind === "phi" || kind === "implied";
  const lacking = { phi: "No φ per pixel", implied: "No measured φ (run with --reliance)", error: "No clean image" }[kind];
  $("legend-low").textContent = share ? "0 data" : "0";
  $("legend-high").textContent = share ? "1 prior" : `${Math.round(255 * end)} of 255`;
  $("legend-text").textContent = without.length ? `${lacking}: ${without.map(labelOf).join(", ")}.` : "";
}

// From a table or a figure: show this image, restored by this method, on the left.
function showImage(image, method) {
  $("side-a").value = "x:" + setting().methods[method].name;
  explorer.image = image;
  fillFilm(true);
  $("explorer").scrollIntoView();
  stage.focus({ preventScroll: true });
}

for (const id of ["side-a", "side-b", "order"]) $(id).addEventListener("change", () => fillFilm(false));
for (const [id, event] of [["overlay", "change"], ["strength", "input"]]) $(id).addEventListener(event, showPictures);
