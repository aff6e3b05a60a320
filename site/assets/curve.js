// Read values off survival curves: with the pointer over the picture, or with the slider under it.
// Without this script the picture and the table below it say the same.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".readout").forEach((readout) => {
    const figure = document.getElementById(readout.dataset.figure);
    const picture = figure && figure.querySelector("img");
    if (!picture) return;
    // Where the curves lie in the picture; the drawing for telephones has a place of its own.
    const areas = ["area", "narrow"].map((name) => (readout.dataset[name] || readout.dataset.area).split(" ").map(Number));
    let [left, top, right, bottom] = areas[0];
    const months = Number(readout.dataset.months);
    const ceiling = Number(readout.dataset.top);

    const heads = [...readout.querySelectorAll("th")].map((cell) => cell.textContent);
    const curves = new Map();
    readout.querySelectorAll("tbody tr").forEach((row) => {
      const [name, time, survival, interval, count] = [...row.cells].map((cell) => cell.textContent);
      if (!curves.has(name)) curves.set(name, { colour: row.dataset.colour, points: [] });
      const height = Number(row.dataset.survival);
      curves.get(name).points.push({ time: Number(time), height, survival, interval, count });
    });
    const times = [...new Set([...curves.values()].flatMap((c) => c.points.map((p) => p.time)))];
    times.sort((a, b) => a - b);

    const make = (tag, name) => Object.assign(document.createElement(tag), { className: name });
    const stage = make("span", "readout-stage");
    const drawn = picture.closest("picture") || picture;
    drawn.before(stage);
    const line = make("span", "readout-line");
    stage.append(drawn, line);
    curves.forEach((curve) => {
      curve.dot = make("span", "readout-dot");
      curve.dot.style.background = curve.colour;
      stage.append(curve.dot);
    });

    const controls = make("div", "readout-controls");
    const label = make("label", "");
    const slider = Object.assign(make("input", ""), { type: "range", min: 0, max: times.length - 1, step: 1 });
    label.append("Month ", slider);
    const words = make("div", "readout-words");
    controls.append(label, words);
    figure.querySelector("figcaption").before(controls);

    const show = (index) => {
      [left, top, right, bottom] = areas[picture.currentSrc.includes(".narrow.") ? 1 : 0];
      line.style.top = `${top}%`;
      line.style.height = `${bottom - top}%`;
      const time = times[index];
      slider.value = index;
      line.style.left = `${left + ((right - left) * time) / months}%`;
      const spoken = [];
      words.replaceChildren(Object.assign(document.createElement("strong"), { textContent: `Month ${time}` }));
      curves.forEach((curve, name) => {
        const point = curve.points.find((p) => p.time === time);
        curve.dot.hidden = !point;
        const text = point
          ? `${name}: ${point.survival} (${heads[3].toLowerCase()} ${point.interval}), ${heads[4].toLowerCase()} ${point.count}`
          : `${name}: nothing in print this late`;
        if (point) {
          curve.dot.style.left = line.style.left;
          curve.dot.style.top = `${bottom - ((bottom - top) * point.height) / ceiling}%`;
        }
        const entry = make("span", "readout-entry");
        const mark = make("i", "");
        mark.style.background = curve.colour;
        entry.append(mark, text);
        words.append(entry);
        spoken.push(text);
      });
      slider.setAttribute("aria-valuetext", `Month ${time}. ${spoken.join(". ")}`);
    };
    const follow = (event) => {
      const box = picture.getBoundingClientRect();
      const share = (100 * (event.clientX - box.left)) / box.width;
      const time = (months * (share - left)) / (right - left);
      const near = times.map((t) => Math.abs(t - time));
      show(near.indexOf(Math.min(...near)));
    };
    stage.addEventListener("pointermove", follow);
    stage.addEventListener("pointerdown", follow);
    slider.addEventListener("input", () => show(Number(slider.value)));
    const shared = times.filter((t) => t <= 12 && [...curves.values()].every((c) => c.points.some((p) => p.time === t)));
    show(Math.max(shared.length - 1, 0));
    // The browser may choose the other drawing later, when it loads or turns.
    picture.addEventListener("load", () => show(Number(slider.value)));
  });
});
