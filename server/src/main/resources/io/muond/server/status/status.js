// Shows /status.json, and of the model that is chosen /status/weights.json, for as long as somebody looks.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const SAMPLES = 120;
const byId = (id) => document.getElementById(id);

let chosen = null;
let lastAnswer = null;
let rates = [];

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

function rate(value) {
  if (value === null) return "–";
  return value >= 100 ? whole.format(Math.round(value)) : value.toFixed(1);
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + " " + units[unit];
}

function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

const tiny = (value) => (value === null ? "–" : value === 0 ? "0" : value.toExponential(1));

/** Makes an element. Text is never parsed as markup. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawing(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Replaces only what has changed, so that nobody loses the focus or a selection. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const STATES = {
  serving: ["good", "serving"],
  draining: ["warn", "draining"],
  lost: ["bad", "all devices lost"],
};

function showState(kind, text) {
  const badge = byId("state");
  badge.className = "badge " + kind;
  setText(badge, text);
}

function showServer(status) {
  showState(...STATES[status.state]);
  setText(
    byId("about"),
    `${status.version} · ${status.engine === "cuda" ? "CUDA" : "CPU"} · up ${duration(status.uptime_seconds)}`,
  );
  setText(byId("rate"), rate(status.steps_per_second));
  setText(byId("models"), whole.format(status.model_count));
  setText(byId("elements"), short.format(status.parameter_elements));
  setText(byId("connections"), whole.format(status.connections));
  rates.push(status.steps_per_second ?? 0);
  rates = rates.slice(-SAMPLES);
  const most = Math.max(...rates, 1e-9);
  const points = rates.map((r, i) => {
    const x = ((SAMPLES - rates.length + i) / (SAMPLES - 1)) * 240;
    return `${x.toFixed(1)} ${(38 - (r / most) * 36).toFixed(1)}`;
  });
  byId("spark").replaceChildren(drawing("path", { d: "M" + points.join("L") }));
}

function showDevices(devices) {
  byId("devices").replaceChildren(
    ...devices.map((device) => {
      const used = device.memory_bytes - device.available_bytes;
      const part = device.memory_bytes ? used / device.memory_bytes : 0;
      const bar = element("i");
      bar.style.width = (100 * part).toFixed(2) + "%";
      const meter = element(
        "div",
        {
          className: part > 0.95 ? "meter full" : "meter",
          role: "meter",
          "aria-label": `Memory of device ${device.ordinal} in use`,
          "aria-valuemin": 0,
          "aria-valuemax": device.memory_bytes,
          "aria-valuenow": used,
          "aria-valuetext": `${bytes(used)} of ${bytes(device.memory_bytes)}`,
        },
        bar,
      );
      return element(
        "li",
        {},
        element(
          "p",
          {},
          element("span", { className: "name", title: device.name }, `${device.ordinal}: ${device.name}`),
          device.lost === null
            ? element("span", { className: "figure" }, `${(100 * part).toFixed(1)} %`)
            : element("span", { className: "badge bad", title: device.lost }, "lost"),
        ),
        meter,
        element(
          "p",
          { className: "soft" },
          element("span", { className: "figure" }, `${bytes(used)} of ${bytes(device.memory_bytes)} in use`),
          element("span", { className: "figure" }, `models: ${bytes(device.allocated_bytes)}`),
        ),
      );
    }),
  );
}

const MODEL_STATES = {
  empty: ["warn", "waits for weights"],
  idle: ["", "idle"],
  filling: ["good", "stepping"],
  busy: ["good", "stepping"],
  ending: ["warn", "ending"],
  lost: ["bad", "lost"],
};

const keyOf = (model) => model.principal + "/" + model.name;

function modelRow(key) {
  for (const row of byId("model-rows").children) {
    if (row.dataset.key === key) return row;
  }
  const cell = (label, kind = "number") =>
    element("td", { className: kind, role: "cell", "data-label": label });
  const row = element(
    "tr",
    { role: "row" },
    element("th", { scope: "row", role: "rowheader" }, element("button", { type: "button" })),
    cell("State", "state"),
    cell("Step"),
    cell("Steps/s"),
    cell("Durable step"),
    cell("Memory"),
    cell("Manifolds", ""),
    cell("Off manifold"),
  );
  row.dataset.key = key;
  row.querySelector("button").addEventListener("click", () => choose(key));
  return row;
}

function showModel(model) {
  const key = keyOf(model);
  const row = modelRow(key);
  const [name, state, step, perSecond, durable, memory, manifolds, off] = row.children;
  const button = name.firstChild;
  if (!button.hasChildNodes()) {
    if (model.principal) button.append(element("span", { className: "whose" }, model.principal + " / "));
    button.append(model.name);
    state.append(element("span"));
  }
  button.setAttribute("aria-pressed", String(key === chosen));
  row.classList.toggle("chosen", key === chosen);
  // Between two of its steps it is idle for a moment.
  const [kind, words] = MODEL_STATES[model.state === "idle" && model.steps_per_second > 0 ? "busy" : model.state];
  state.firstChild.className = "badge " + kind;
  setText(state.firstChild, words);
  setText(step, whole.format(model.step));
  setText(perSecond, rate(model.steps_per_second));
  setText(durable, model.durable_step === null ? "none" : whole.format(model.durable_step));
  setText(memory, bytes(model.memory_bytes));
  setText(manifolds, model.manifolds.join(", "));
  setText(off, tiny(model.orthogonality_max));
  return row;
}

function showModels(status) {
  const rows = status.models.map(showModel);
  const body = byId("model-rows");
  if (rows.length !== body.children.length || rows.some((row, i) => row !== body.children[i])) {
    body.replaceChildren(...rows);
  }
  byId("model-table").hidden = rows.length === 0;
  const hidden = status.model_count - rows.length;
  const note = byId("models-note");
  note.hidden = rows.length > 0 && hidden === 0;
  if (!status.models_shown) {
    setText(note, "Not shown, since this server asks who calls and this page does not (--show-models).");
  } else if (rows.length === 0) {
    setText(note, "None yet.");
  } else {
    setText(note, `The first ${rows.length} of ${status.model_count}.`);
  }
  if (!status.models.some((model) => keyOf(model) === chosen)) {
    choose(status.models.length ? keyOf(status.models[0]) : null);
  }
}

function choose(key) {
  chosen = key;
  byId("weights").hidden = true;
  byId("figures").replaceChildren();
  delete byId("figures").dataset.shown;
  for (const row of byId("model-rows").children) {
    row.classList.toggle("chosen", row.dataset.key === key);
    row.querySelector("button").setAttribute("aria-pressed", String(row.dataset.key === key));
  }
  if (key !== null) lookAtWeights();
}

const digits = (value) => (value === null ? "not finite" : value.toPrecision(7));

function tick(value) {
  return Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

function histogram(parameter) {
  const { from, to, counts } = parameter.histogram;
  const picture = drawing("svg", {
    class: "histogram",
    viewBox: "0 0 246 74",
    role: "img",
    "aria-label": `${parameter.count} ${parameter.measure} from ${digits(parameter.least)} to ${digits(parameter.most)}`,
  });
  const most = Math.max(...counts);
  const width = 246 / counts.length;
  counts.forEach((count, i) => {
    if (count === 0) return;
    const height = Math.max(2, (count / most) * 52);
    const bar = drawing("rect", { x: i * width + 0.5, y: 56 - height, width: width - 1, height, rx: 1 });
    const edge = (k) => (from + ((to - from) * k) / counts.length).toPrecision(3);
    bar.append(drawing("title", {}, `${count} from ${edge(i)} to ${edge(i + 1)}`));
    picture.append(bar);
  });
  picture.append(drawing("line", { x1: 0, x2: 246, y1: 56.5, y2: 56.5 }));
  picture.append(drawing("text", { x: 0, y: 70 }, tick(from)));
  picture.append(drawing("text", { x: 123, y: 70 }, tick((from + to) / 2)));
  picture.append(drawing("text", { x: 246, y: 70 }, tick(to)));
  return picture;
}

const pair = (label, value) =>
  element("p", { className: "pair" }, element("span", {}, label), element("span", { className: "number" }, value));

function figure(parameter) {
  const caption = element(
    "figcaption",
    {},
    element("b", {}, parameter.name),
    element("span", {}, `${parameter.shape.join(" × ")} · ${parameter.manifold}`),
  );
  const made = element("figure", {}, caption);
  if (parameter.histogram) made.append(histogram(parameter));
  if (parameter.measure) {
    const what = parameter.measure + (parameter.relative ? " / r" : "");
    const range =
      parameter.count === 1 ? digits(parameter.most) : `${digits(parameter.least)} – ${digits(parameter.most)}`;
    made.append(pair(what, range));
    if (parameter.relative) made.append(pair("off manifold", tiny(parameter.residual)));
  } else {
    made.append(
      element(
        "p",
        { className: "note" },
        parameter.too_large ? "Too large to be measured here: muond inspect does." : "Not measured yet.",
      ),
    );
  }
  return element("li", {}, made);
}

function showWeights(weights) {
  byId("weights").hidden = false;
  setText(byId("weights-title"), "Weights of " + weights.model);
  let note = "Not measured yet.";
  if (weights.step !== undefined) {
    const age = weights.age_seconds < 1 ? "just now" : duration(weights.age_seconds) + " ago";
    note = `As of step ${whole.format(weights.step)}, ${age}.`;
  }
  if (weights.measuring) note += " Measuring …";
  if (weights.fault !== null) note += " They cannot be measured now: " + weights.fault;
  if (weights.parameters_in_all > weights.parameters.length) {
    note += ` The first ${weights.parameters.length} of ${weights.parameters_in_all} parameters.`;
  }
  setText(byId("weights-note"), note);
  const shown = JSON.stringify(weights.parameters);
  if (byId("figures").dataset.shown !== shown) {
    byId("figures").dataset.shown = shown;
    byId("figures").replaceChildren(...weights.parameters.map(figure));
  }
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(path + ": " + answer.status);
  return answer.json();
}

async function lookAtWeights() {
  const asked = chosen;
  if (asked === null) return;
  const slash = asked.indexOf("/");
  const query = new URLSearchParams({ principal: asked.slice(0, slash), model: asked.slice(slash + 1) });
  try {
    const weights = await ask("/status/weights.json?" + query);
    if (asked === chosen) showWeights(weights);
  } catch {
    // It was deleted, or the server is gone: /status.json tells.
  }
}

async function look() {
  try {
    const status = await ask("/status.json");
    lastAnswer = new Date();
    document.body.classList.remove("stale");
    byId("gone").hidden = true;
    showServer(status);
    showDevices(status.devices);
    showModels(status);
  } catch {
    document.body.classList.add("stale");
    showState("bad", "no answer");
    const since = lastAnswer === null ? "" : ` since ${lastAnswer.toLocaleTimeString()}`;
    setText(byId("gone"), `The server has not answered${since}. This page keeps asking.`);
    byId("gone").hidden = false;
  }
}

async function repeat(work, pause) {
  for (;;) {
    if (!document.hidden) await work();
    await new Promise((done) => setTimeout(done, pause));
  }
}

repeat(look, 1000);
repeat(lookAtWeights, 2000);
