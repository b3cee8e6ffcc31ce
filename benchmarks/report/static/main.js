// Put everything in motion.
function fillMetrics() {
  $("metric").replaceChildren(...setting().metrics.map((m) => el("option", { value: m.name }, `${m.title} (${m.signature})`)));
  state.metric = metric()?.name;
  if (state.metric) $("metric").value = state.metric;
}
function showMatrix() {
  for (const part of document.querySelectorAll(".of-metric")) part.hidden = part.dataset.metric !== $("matrix-metric").value;
}
$("matrix-metric")?.addEventListener("change", showMatrix);
function drawFigures() {
  drawPareto();
  drawLevel();
  drawDistribution();
}
follow(drawFigures);

$("setting")?.addEventListener("change", () => {
  state.setting = Number($("setting").value);
  fillMetrics();
  drawRecordHeads();
  fillSides();
  fillFilm(false);
  changed();
});
$("metric").addEventListener("change", () => {
  state.metric = $("metric").value;
  drawFigures();
  fillFilm(true);
});
$("filter").addEventListener("input", changed);
$("kind").addEventListener("change", changed);
$("reach").addEventListener("change", drawFigures);

let drawnWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === drawnWidth) return;
  drawnWidth = innerWidth;
  drawFigures();
});

fillMetrics();
drawRecordHeads();
fillSides();
fillFilm(false);
changed();
