// Embedded pictures as pixels, and a map laid over them.
const MAPS = { phi: "phi", implied: "phi", error: "error", difference: "error" };
let opened = { id: null, uris: null, pixels: new Map() };

// The pictures of an image by key, or null if the file holds none of it. One image is open at a time.
function pictures(image) {
  const id = `pixels-${state.setting}-${image}`;
  if (opened.id !== id) {
    const element = $(id);
    opened = { id, uris: element && JSON.parse(element.textContent), pixels: new Map() };
  }
  return opened.uris;
}

// A map of blocks is enlarged to the size of the image.
async function decode(uri, [width, height]) {
  const picture = new Image();
  picture.src = uri;
  await picture.decode();
  const canvas = el("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Pixels of a picture of the open image, or null.
function pixels(image, key) {
  const uris = pictures(image);
  if (!uris?.[key]) return Promise.resolve(null);
  if (!opened.pixels.has(key)) opened.pixels.set(key, decode(uris[key], setting().images[image].size));
  return opened.pixels.get(key);
}

// Mean absolute difference over the channels, in [0,1].
function distance(one, other) {
  const values = new Float32Array(one.data.length / 4);
  for (let i = 0, j = 0; i < values.length; i++, j += 4) {
    values[i] = (Math.abs(one.data[j] - other.data[j]) + Math.abs(one.data[j + 1] - other.data[j + 1]) + Math.abs(one.data[j + 2] - other.data[j + 2])) / 765;
  }
  return values;
}
const level = (map) => Float32Array.from({ length: map.data.length / 4 }, (_, i) => map.data[4 * i] / 255);

// The end of the colour scale: what 99% of the values stay under, rounded up, so that one pixel does not decide.
function scaleEnd(maps) {
  const values = Float32Array.from(maps.filter(Boolean).flatMap((map) => [...map])).sort();
  const high = values[Math.floor(0.99 * (values.length - 1))] ?? 1;
  return [0.02, 0.05, 0.1, 0.2, 0.5].find((end) => high <= end) ?? 1;
}

// A canvas with the picture, under the map if there is one.
function compose(base, map, end, colours, strength) {
  const canvas = el("canvas", { width: base.width, height: base.height });
  const out = new ImageData(new Uint8ClampedArray(base.data), base.width, base.height);
  if (map) {
    for (let i = 0, j = 0; i < map.length; i++, j += 4) {
      const colour = colours[Math.min(255, Math.round((255 * map[i]) / end))];
      for (let c = 0; c < 3; c++) out.data[j + c] += strength * (colour[c] - out.data[j + c]);
    }
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
  return canvas;
}
