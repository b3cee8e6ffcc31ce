// What the reader has chosen, and who must know.
const data = JSON.parse($("data").textContent);
const state = { setting: 0, metric: data.settings[0].metrics[0]?.name };
const followers = [];
const follow = (redraw) => followers.push(redraw);
const changed = () => followers.forEach((redraw) => redraw());

const setting = () => data.settings[state.setting];
const metric = () => setting().metrics.find((m) => m.name === state.metric) ?? setting().metrics[0];
// The metrics that have a value per image, and the one that images are ordered by.
const imageMetrics = () => setting().metrics.filter((m) => !m.of_set);
const imageMetric = () => (metric()?.of_set ? imageMetrics()[0] : metric());

// Records by image and method, of every setting.
for (const one of data.settings) {
  const { image, method } = one.records;
  one.at = one.images.map(() => []);
  image.forEach((place, record) => { one.at[place][method[record]] = record; });
}
const score = (image, method, name) => {
  const record = setting().at[image][method];
  return record === undefined ? null : (setting().records[name]?.[record] ?? null);
};

function chosen(method) {
  const kind = $("kind").value;
  const wanted = kind === "all" || (kind === "honest" ? method.kind !== "oracle" : method.kind === kind);
  return wanted && matches(method.name, words($("filter").value));
}
// Those within reach of the best that is no oracle: its margin, or the better half of the range where it has none.
function contenders(methods, m) {
  const values = methods.filter((method) => method.kind !== "oracle").map((method) => method.scores[m.name]);
  if ($("reach").value === "all" || !values.length) return methods;
  const sign = m.higher ? 1 : -1, ranked = values.map((value) => sign * value).sort((a, b) => b - a);
  const least = ranked[0] - (m.margin ?? (ranked[0] - ranked.at(-1)) / 2);
  const near = methods.filter((method) => sign * method.scores[m.name] >= least);
  return near.length > 1 ? near : methods;
}
const shownMethods = () => setting().methods.map((method, place) => ({ ...method, place })).filter(chosen);
