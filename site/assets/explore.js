// "Ask your own question": choose studies and a model, see the pool. Needs pool.js and the data in
// the page; asks no host for anything. The address after # holds the view.
(function (home) {
  "use strict";

  const MODELS = { rule: "This review's rule for few studies", random: "Random effects", common: "Common effect" };
  const TAU2 = { REML: "REML", DL: "DerSimonian-Laird", PM: "Paule-Mandel" };
  const CI = { hksj: "Hartung-Knapp", z: "Wald" };
  const START = { model: "rule", tau2: "REML", ci: "hksj" };

  // --- a view and its address -----------------------------------------------------------------

  function firstView(question) {
    const from = question.pools[0];
    const rows = from ? from.rows : question.rows.map((r) => r.key);
    return { q: question.name, from: from ? from.name : "", rows: new Set(rows), ...START, base: "" };
  }

  /** The view as the part of an address after #: what differs from a published pool. */
  function toAddress(view, question) {
    const from = question.pools.find((p) => p.name === view.from);
    const start = new Set(from ? from.rows : question.rows.map((r) => r.key));
    const parts = new URLSearchParams({ q: view.q });
    if (view.from) parts.set("from", view.from);
    const out = [...start].filter((k) => !view.rows.has(k));
    const more = [...view.rows].filter((k) => !start.has(k));
    if (out.length) parts.set("out", out.join(","));
    if (more.length) parts.set("in", more.join(","));
    Object.keys(START).forEach((name) => { if (view[name] !== START[name]) parts.set(name, view[name]); });
    if (view.base !== "") parts.set("base", view.base);
    return parts.toString().replaceAll("%2C", ",");
  }

  /** The view of an address; what it does not name, or names wrongly, is as at the start. */
  function fromAddress(text, questions) {
    const parts = new URLSearchParams(text.replace(/^#/, ""));
    const question = questions.find((q) => q.name === parts.get("q")) || questions[0];
    const view = firstView(question);
    const from = question.pools.find((p) => p.name === parts.get("from"));
    if (from) { view.from = from.name; view.rows = new Set(from.rows); }
    const known = new Set(question.rows.map((r) => r.key));
    (parts.get("out") || "").split(",").forEach((k) => view.rows.delete(k));
    (parts.get("in") || "").split(",").filter((k) => known.has(k)).forEach((k) => view.rows.add(k));
    [["model", MODELS], ["tau2", TAU2], ["ci", CI]].forEach(([name, words]) => {
      if (parts.get(name) in words) view[name] = parts.get(name);
    });
    if (/^\d{1,3}$/.test(parts.get("base") || "")) view.base = parts.get("base");
    return view;
  }

  // --- what a view says -----------------------------------------------------------------------

  const empty = (row) => row.events === 0 || row.events === row.n;
  const all = (rows, events) => rows.every((r) => r.events === (events ? r.n : 0));

  /** The result of a view; the rule needs counts as they are where a cell is empty. */
  function result(view, question, engine) {
    const rows = question.rows.filter((r) => view.rows.has(r.key));
    if (!rows.length) return null;
    const options = { model: view.model, tau2: view.tau2, ci: view.ci };
    let note = "";
    if (view.model === "rule" && question.measure === "proportion" && rows.length > 1 && rows.some(empty) && !all(rows, true) && !all(rows, false)) {
      options.model = "random";
      note = "A chosen cohort has an empty cell. The rule then takes a binomial-normal model, which this page does not compute; shown is inverse variance with one half added.";
    }
    return { rows, options, note, fit: engine.poolRows(rows, question.measure, options) };
  }

  const format = {
    proportion: (x) => `${(100 * x).toFixed(0)}%`,
    hr: (x) => (x >= 10 ? x.toFixed(0) : x.toFixed(2)),
  };
  const range = (show, low, high) => `${show(low)} to ${show(high)}`;

  function headline(question, found) {
    const show = format[question.measure];
    const { fit, rows } = found;
    const name = question.measure === "hr" ? "Hazard ratio" : "Pooled";
    const who = rows.length === 1 ? `${rows[0].study} alone` : `${rows.length} studies`;
    return `${name} ${show(fit.estimate)} (95% interval ${range(show, fit.low, fit.high)}), ${who}.`;
  }

  function ahead(question, found) {
    if (found.fit.model === "exact") return "Nobody, or everybody, had it: nothing shows how far cohorts differ.";
    if (Number.isNaN(found.fit.predLow)) {
      return found.rows.length === 1 ? "One study cannot say how far a new one would differ." : "A common effect leaves nothing for a new study to differ by.";
    }
    const few = found.rows.length === 2 ? " Two studies say little about how much studies differ." : "";
    return `A new, similar study would be expected from ${range(format[question.measure], found.fit.predLow, found.fit.predHigh)}.${few}`;
  }

  function absolute(question, found, base) {
    const { fit } = found;
    const whole = (x) => (100 * x).toFixed(0);
    if (question.measure === "proportion") {
      return `Of 100 such patients, about ${whole(fit.estimate)} (${whole(fit.low)} to ${whole(fit.high)}).`;
    }
    if (base === "" || !(base > 0 && base < 100)) return "";
    const [mid, few, most] = [fit.estimate, fit.high, fit.low].map((hr) => whole((base / 100) ** hr));
    const free = question.what === "died" ? "alive" : "without an event";
    return `Of 100 patients of whom ${base} would be ${free} without blinatumomab, ${mid} (${few} to ${most}) would be with it.`;
  }

  function against(question, view, found) {
    const from = question.pools.find((p) => p.name === view.from);
    if (!from) return "";
    const show = format[question.measure];
    const names = (keys) => keys.map((k) => question.rows.find((r) => r.key === k).study).join(", ");
    const out = from.rows.filter((k) => !view.rows.has(k));
    const more = [...view.rows].filter((k) => !from.rows.includes(k));
    const changes = [out.length && `without ${names(out)}`, more.length && `with ${names(more)}`,
      view.model !== "rule" && MODELS[view.model].toLowerCase()].filter(Boolean);
    const published = `${show(from.estimate)} (${range(show, from.conf_low, from.conf_high)})`;
    const sure = from.certainty ? `, certainty ${from.certainty}` : "";
    if (!changes.length) return `Published: ${published}${sure}.`;
    return `Published: ${published}${sure}. Changed: ${changes.join("; ")}.`;
  }

  const listed = (values) => `[${values.join(", ")}]`;
  const quoted = (text) => JSON.stringify(text);

  /** Code that gives the same numbers. */
  function python(question, found) {
    const { rows, options } = found;
    const column = (name) => listed(rows.map((r) => r[name]));
    const studies = `studies=${listed(rows.map((r) => quoted(r.study)))}`;
    const levels = rows.some((r) => r.level && r.level !== 0.95) ? `, level=${column("level")}` : "";
    const effects = question.measure === "hr"
      ? `mb.hazard_ratios(\n    ${column("estimate")},\n    ${column("low")},\n    ${column("high")}${levels},\n    ${studies},\n)`
      : `mb.proportions(\n    ${column("events")},\n    ${column("n")},\n    ${studies},\n)`;
    const rule = question.measure === "hr" ? "pool_contrasts" : "pool_cohorts";
    const fit = {
      rule: `mb.${rule}(effects)`,
      common: `mb.pool(effects, model="common", ci="${options.ci}")`,
      random: `mb.pool(effects, tau2="${options.tau2}", ci="${options.ci}")`,
    }[options.model];
    return `import metablin as mb\n\neffects = ${effects}\nfit = ${fit}\nprint(fit.estimate, fit.conf_low, fit.conf_high, fit.pred_low, fit.pred_high)`;
  }

  // --- a reader's own rows --------------------------------------------------------------------

  const COLUMNS = {
    study: ["study", "trial", "name", "label"],
    events: ["events", "x", "responders"],
    n: ["n", "total", "patients"],
    estimate: ["estimate", "hr", "hazard_ratio"],
    low: ["low", "conf_low", "ci_low", "lower"],
    high: ["high", "conf_high", "ci_high", "upper"],
  };

  /** Read a table of counts or hazard ratios; an error names line, column and value. */
  function parse(text) {
    const lines = text.split(/\r?\n/).filter((l) => l.trim());
    if (lines.length < 2) throw new RangeError("a line of column names and one line a study are needed");
    const mark = [",", ";", "\t"].sort((a, b) => lines[0].split(b).length - lines[0].split(a).length)[0];
    const cells = lines.map((l) => l.split(mark).map((c) => c.trim().replace(/^"|"$/g, "")));
    const heads = cells[0].map((h) => h.toLowerCase().replace(/\s+/g, "_"));
    const at = (name) => heads.findIndex((h) => COLUMNS[name].includes(h));
    const counts = at("events") >= 0 && at("n") >= 0;
    const ratios = ["estimate", "low", "high"].every((name) => at(name) >= 0);
    if (!counts && !ratios) throw new RangeError(`no columns events and n, nor estimate, low and high, among: ${cells[0].join(", ")}`);
    const names = counts ? ["events", "n"] : ["estimate", "low", "high"];
    const rows = cells.slice(1).map((line, i) => {
      const row = { key: `own-${i + 1}`, study: (at("study") >= 0 && line[at("study")]) || `Row ${i + 1}` };
      names.forEach((name) => {
        const value = (line[at(name)] || "").replace(mark === ";" ? "," : " ", mark === ";" ? "." : "");
        if (value === "" || !Number.isFinite(Number(value))) throw new RangeError(`line ${i + 2}, ${name}: "${value}" is no number`);
        row[name] = Number(value);
      });
      const fine = counts
        ? Number.isInteger(row.events) && Number.isInteger(row.n) && row.n > 0 && row.events >= 0 && row.events <= row.n
        : row.low > 0 && row.low <= row.estimate && row.estimate <= row.high && row.low < row.high;
      if (!fine) throw new RangeError(`line ${i + 2}: ${counts ? "events lie from 0 to n, in whole patients" : "the ratio lies above 0 and between its limits"}`);
      return row;
    });
    return { name: "own", label: "Your own rows", measure: counts ? "proportion" : "hr", what: "", rows, pools: [], filters: {} };
  }

  // --- the page -------------------------------------------------------------------------------

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => {
      if (name in node && name !== "list") node[name] = value;
      else node.setAttribute(name, value);
    });
    node.append(...children);
    return node;
  };
  const svg = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    if (text !== undefined) node.textContent = text;
    return node;
  };

  function ticks(measure, low, high) {
    if (measure === "proportion") return [0, 0.2, 0.4, 0.6, 0.8, 1];
    return [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10].filter((t) => t >= low && t <= high);
  }

  /** The forest plot, in two columns where there is room, else names above their marks. */
  function forest(question, found, engine, width) {
    const show = format[question.measure];
    const { effect, back } = engine.MEASURES[question.measure];
    const z = engine.critical(0.95, Infinity);
    const wide = width >= 620;
    const lines = found.rows.map((row, i) => {
      const e = effect(row);
      const half = z * Math.sqrt(e.v);
      return { label: row.study, mid: back(e.y), low: back(e.y - half), high: back(e.y + half), weight: found.fit.weights[i] };
    });
    const fit = found.fit;
    if (found.rows.length > 1) lines.push({ label: "Pooled", mid: fit.estimate, low: fit.low, high: fit.high, pooled: true });
    if (!Number.isNaN(fit.predLow)) lines.push({ label: "New, similar study", low: fit.predLow, high: fit.predHigh, ahead: true });
    const ratio = question.measure === "hr";
    const low = ratio ? Math.max(0.05, Math.min(0.5, ...lines.map((l) => l.low)) / 1.1) : 0;
    const high = ratio ? Math.min(20, Math.max(1.5, ...lines.map((l) => l.high)) * 1.1) : 1;
    const [left, right] = wide ? [0.34 * width, 0.72 * width] : [8, width - 8];
    const scale = ratio ? Math.log : (x) => x;
    const x = (value) => left + ((right - left) * (scale(Math.min(Math.max(value, low), high)) - scale(low))) / (scale(high) - scale(low));
    const step = wide ? 26 : 44;
    const height = lines.length * step + 40;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "explore-forest" });
    picture.append(svg("title", {}, `Forest plot. ${headline(question, found)}`));
    ticks(question.measure, low, high).forEach((t) => {
      picture.append(svg("line", { x1: x(t), x2: x(t), y1: 4, y2: height - 30, class: ratio && t === 1 ? "none" : "grid" }));
      picture.append(svg("text", { x: x(t), y: height - 12, "text-anchor": "middle", class: "small" }, ratio ? `${t}` : show(t)));
    });
    lines.forEach((line, i) => {
      const top = 6 + i * step;
      const words = top + 15;
      const y = wide ? top + 11 : top + 28;
      const text = line.ahead ? range(show, line.low, line.high) : `${show(line.mid)} (${range(show, line.low, line.high)})`;
      const kind = line.pooled ? "bold" : "";
      picture.append(svg("text", { x: wide ? 0 : left, y: words, class: kind }, line.label));
      picture.append(svg("text", { x: wide ? width : right, y: words, "text-anchor": "end", class: kind }, text));
      if (line.pooled) {
        picture.append(svg("polygon", { points: `${x(line.low)},${y} ${x(line.mid)},${y - 7} ${x(line.high)},${y} ${x(line.mid)},${y + 7}`, class: "pooled" }));
        return;
      }
      picture.append(svg("line", { x1: x(line.low), x2: x(line.high), y1: y, y2: y, class: line.ahead ? "ahead" : "interval" }));
      if (!line.ahead) {
        const side = 5 + 9 * Math.sqrt(line.weight);
        picture.append(svg("rect", { x: x(line.mid) - side / 2, y: y - side / 2, width: side, height: side, class: "study" }));
      }
    });
    return picture;
  }

  function choice(label, words, value, change) {
    const select = make("select", {}, ...Object.entries(words).map(([v, text]) => new Option(text, v, false, v === value)));
    select.addEventListener("change", () => change(select.value));
    return make("label", {}, label, select);
  }

  function start(place, questions, engine) {
    let view = fromAddress(home.location.hash, questions);
    const question = () => questions.find((q) => q.name === view.q);
    const left = make("div", { className: "explore-choices" });
    const right = make("div", { className: "explore-result" });
    place.replaceChildren(left, right);

    const set = (changes) => { Object.assign(view, changes); draw(); };
    const toggle = (keys, on) => { keys.forEach((k) => (on ? view.rows.add(k) : view.rows.delete(k))); draw(); };
    const box = (label, keys, extra = "") => {
      const input = make("input", { type: "checkbox" });
      const chosen = keys.filter((k) => view.rows.has(k)).length;
      input.checked = chosen === keys.length;
      input.indeterminate = chosen > 0 && chosen < keys.length;
      input.dataset.key = keys.length === 1 ? keys[0] : label;
      input.addEventListener("change", () => toggle(keys, input.checked));
      return make("label", { className: "tick" }, input, make("span", {}, label, extra && make("small", {}, ` ${extra}`)));
    };

    function drawChoices() {
      const q = question();
      const names = Object.fromEntries(questions.map((one) => [one.name, one.label]));
      const parts = [choice("Question", names, view.q, (name) => { view = firstView(questions.find((one) => one.name === name)); draw(); })];
      if (q.pools.length) {
        const from = Object.fromEntries(q.pools.map((p) => [p.name, p.label]));
        parts.push(choice("Start from", from, view.from, (name) => set({ from: name, rows: new Set(q.pools.find((p) => p.name === name).rows), base: "" })));
      }
      Object.entries(q.filters).forEach(([column, words]) => {
        const values = [...new Set(q.rows.map((r) => r[column]).filter(Boolean))].sort();
        if (values.length < 2) return;
        const boxes = values.map((value) => box(value, q.rows.filter((r) => r[column] === value).map((r) => r.key)));
        parts.push(make("details", { open: false, className: "filter-group" }, make("summary", {}, words), ...boxes));
      });
      const counts = (r) => (r.n ? `${r.events}/${r.n}` : "");
      const tell = (r) => [counts(r), q.pools.length > 1 && r.population].filter(Boolean).join(", ");
      parts.push(make("fieldset", {}, make("legend", {}, "Studies"), ...q.rows.map((r) => box(r.study, [r.key], tell(r)))));
      parts.push(choice("Model", MODELS, view.model, (model) => set({ model })));
      if (view.model === "random") parts.push(choice("Variance between studies", TAU2, view.tau2, (tau2) => set({ tau2 })));
      if (view.model !== "rule") parts.push(choice("Interval", CI, view.ci, (ci) => set({ ci })));
      left.replaceChildren(...parts);
    }

    function drawResult() {
      const q = question();
      const found = result(view, q, engine);
      if (!found) { right.replaceChildren(make("p", { className: "explore-answer" }, "Choose at least one study.")); return; }
      const from = q.pools.find((p) => p.name === view.from);
      const base = view.base === "" ? (from && from.baseline) || "" : Number(view.base);
      const width = Math.max(300, Math.round(right.clientWidth || 640));
      const answer = make("div", { "aria-live": "polite" },
        make("p", { className: "explore-answer" }, headline(q, found)),
        make("p", {}, [absolute(q, found, base), ahead(q, found)].filter(Boolean).join(" ")),
        make("p", { className: "explore-note" }, [against(q, view, found), found.note].filter(Boolean).join(" ")));
      const parts = [answer];
      if (q.measure === "hr" && q.name !== "own") {
        const input = make("input", { type: "number", min: 1, max: 99, value: String(base) });
        input.addEventListener("change", () => set({ base: input.value }));
        const free = q.what === "died" ? "alive" : "without an event";
        parts.push(make("label", { className: "explore-base" }, `Of 100 patients without blinatumomab, ${free} at ${(from && from.months) || q.months} months: `, input));
      }
      parts.push(make("div", { className: "explore-picture" }, forest(q, found, engine, width)));
      const n = (v, digits) => (Number.isNaN(v) ? "none" : v.toFixed(digits));
      if (found.rows.length > 1) parts.push(make("p", { className: "explore-note" }, `Variance between studies ${n(found.fit.tau2, 3)}, share of it ${n(100 * found.fit.i2, 0)}%, Q ${n(found.fit.q, 1)} (p ${n(found.fit.qP, 3)}).`));
      const code = make("pre", { tabIndex: 0 }, make("code", {}, python(q, found)));
      parts.push(make("details", {}, make("summary", {}, "The same in Python"), code));
      right.replaceChildren(...parts, tools(q));
    }

    function tools(q) {
      const copy = make("button", { type: "button" }, "Copy the link to this view");
      copy.addEventListener("click", () => home.navigator.clipboard.writeText(home.location.href).then(() => { copy.textContent = "Copied"; }));
      const area = make("textarea", { rows: 5, placeholder: "study,events,n" });
      const fault = make("p", { className: "explore-fault", role: "alert" });
      const use = make("button", { type: "button" }, "Pool these rows");
      const read = () => {
        try {
          const own = parse(area.value);
          const at = questions.findIndex((one) => one.name === "own");
          if (at >= 0) questions.splice(at, 1);
          questions.push(own);
          view = firstView(own);
          draw();
        } catch (error) { fault.textContent = error.message; }
      };
      use.addEventListener("click", read);
      const file = make("input", { type: "file", accept: ".csv,.tsv,.txt" });
      file.addEventListener("change", () => file.files[0].text().then((text) => { area.value = text; read(); }));
      area.addEventListener("dragover", (event) => event.preventDefault());
      area.addEventListener("drop", (event) => {
        if (!event.dataTransfer.files.length) return;
        event.preventDefault();
        event.dataTransfer.files[0].text().then((text) => { area.value = text; read(); });
      });
      const own = make("details", { className: "explore-own", open: q.name === "own" }, make("summary", {}, "Paste or drop your own rows"),
        make("p", {}, "Columns study, events, n; or study, estimate, low, high for hazard ratios. They stay in this browser."),
        make("label", {}, "Rows", area), make("label", {}, "Or a file ", file), use, fault);
      return make("div", { className: "explore-tools" }, ...(q.name === "own" ? [] : [copy]), own);
    }

    function draw() {
      const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : undefined;
      const open = [...left.querySelectorAll("details")].map((d) => d.open);
      drawChoices();
      left.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
      drawResult();
      const again = focus && [...left.querySelectorAll("input")].find((i) => i.dataset.key === focus);
      if (again) again.focus();
      if (view.q !== "own") home.history.replaceState(null, "", `#${toAddress(view, question())}`);
    }

    home.addEventListener("hashchange", () => { view = fromAddress(home.location.hash, questions); draw(); });
    home.addEventListener("resize", drawResult);
    draw();
  }

  const api = { fromAddress, toAddress, result, python, parse, headline };
  if (typeof module !== "undefined") { module.exports = api; return; }
  home.document.addEventListener("DOMContentLoaded", () => {
    const place = home.document.getElementById("explore");
    const data = home.document.getElementById("explore-data");
    if (place && data) start(place, JSON.parse(data.textContent), home.metablinPool);
  });
})(typeof window === "undefined" ? globalThis : window);
