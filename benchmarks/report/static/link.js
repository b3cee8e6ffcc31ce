// A link that restores the view: what differs from the page as it comes, in the part of the address after #.
const KEPT = ["setting", "metric", "filter", "kind", "matrix-metric", "reach", "side-a", "side-b", "order", "overlay", "strength", "layout", "records-filter"];
const MARK = "#view?";
const asItComes = {};

function viewLink() {
  const chosen = new URLSearchParams();
  for (const id of KEPT) if ($(id) && $(id).value !== asItComes[id]) chosen.set(id, $(id).value);
  if (explorer.image !== null) chosen.set("image", setting().images[explorer.image].name);
  if (view.split !== 0.5) chosen.set("split", view.split.toFixed(3));
  if (view.zoom > 1) chosen.set("zoom", [view.zoom, view.x, view.y].map((value) => value.toFixed(4)).join("_"));
  return MARK + chosen;
}

function restoreView() {
  if (!location.hash.startsWith(MARK)) return;
  const chosen = new URLSearchParams(location.hash.slice(MARK.length));
  for (const id of KEPT) {
    const value = chosen.get(id) ?? asItComes[id];
    if (!$(id) || $(id).value === value) continue;
    const before = $(id).value;
    $(id).value = value;
    if ($(id).tagName === "SELECT" && $(id).selectedIndex < 0) $(id).value = before;
    for (const kind of ["input", "change"]) $(id).dispatchEvent(new Event(kind));
  }
  const image = setting().images.findIndex(({ name }) => name === chosen.get("image"));
  if (image >= 0) pick(image);
  const [scale, x, y] = (chosen.get("zoom") ?? "").split("_").map(Number);
  if (scale > 1 && x >= 0 && y >= 0) Object.assign(view, { zoom: Math.min(LARGEST_ZOOM, scale), x, y });
  if (Number(chosen.get("split") ?? NaN) >= 0) setSplit(Number(chosen.get("split")));
  redraw();
}

for (const id of KEPT) if ($(id)) asItComes[id] = $(id).value;
restoreView();
addEventListener("hashchange", restoreView);
$("link").addEventListener("click", async () => {
  history.replaceState(null, "", viewLink());
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  $("link-said").value = copied ? "Copied, and in the address bar." : "It is in the address bar.";
});
