// Which image comes first: by what two pictures have to do with each other.
const RESTORED = "x:";
const methodOf = (key) => setting().methods.findIndex((method) => key === RESTORED + method.name);
// The score of a picture by the chosen metric, or null if it is not a restoration.
const scoreOf = (image, key, name = imageMetric()?.name) => {
  const method = methodOf(key);
  return method < 0 ? null : score(image, method, name);
};

// Root mean square difference of two pictures of an image on the 0–255 scale, or null if one was not kept.
function differenceOf(image, a, b) {
  const { layers, differences } = setting().images[image];
  const [i, j] = [layers.indexOf(a), layers.indexOf(b)].sort((p, q) => p - q);
  if (i < 0) return null;
  return i === j ? 0 : differences[i * layers.length - (i * (i + 1)) / 2 + (j - i - 1)];
}

// Pixels decide where all images have them; otherwise the scores do, which all images have.
function disagreement(a, b) {
  const every = setting().images.map((_, image) => differenceOf(image, a, b));
  const complete = every.every((value) => value !== null);
  const apart = (image) => {
    const [one, other] = [scoreOf(image, a), scoreOf(image, b)];
    return missing(one) || missing(other) ? null : Math.abs(one - other);
  };
  const byScore = !complete && methodOf(a) >= 0 && methodOf(b) >= 0;
  return { byScore, value: byScore ? apart : (image) => every[image] };
}

function ordering(order, a, b) {
  const m = imageMetric(), sign = m?.higher ? 1 : -1;
  const gain = (image, one, other) => {
    const [x, y] = [scoreOf(image, one), scoreOf(image, other)];
    return missing(x) || missing(y) ? null : sign * (x - y);
  };
  const better = (image, key) => (missing(scoreOf(image, key)) ? null : sign * scoreOf(image, key));
  const negative = (value) => (missing(value) ? null : -value);
  const differ = disagreement(a, b);
  const keys = {
    differ: differ.value,
    "a-worst": (image) => negative(better(image, a)),
    "a-best": (image) => better(image, a),
    "b-gains": (image) => gain(image, b, a),
    "a-gains": (image) => gain(image, a, b),
    name: () => null,
  };
  const by = (image) => keys[order](image) ?? null;
  const places = setting().images.map((_, image) => image);
  return { places: places.sort((p, q) => compare(by(p), by(q), true)), by, byScore: differ.byScore };
}
