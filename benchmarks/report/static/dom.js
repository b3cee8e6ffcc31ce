// Making and finding elements, and writing numbers.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const missing = (value) => value === null || value === undefined;
const fixed = (value, digits) => (missing(value) ? "–" : value.toFixed(digits).replace("-", "−"));
const signed = (value, digits) => (missing(value) ? "–" : (value > 0 ? "+" : "") + fixed(value, digits));
const brief = (value) => (missing(value) ? "–" : String(Number(value.toPrecision(3))));
const withUnit = (value, metric) => fixed(value, metric.decimals) + (metric.unit && !missing(value) ? " " + metric.unit : "");
const words = (text) => text.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
const matches = (text, wanted) => !wanted.length || wanted.some((word) => text.toLowerCase().includes(word));
