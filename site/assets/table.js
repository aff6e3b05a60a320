// Filter and sort the table of trials. Without this script the whole table is there to read.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.sortable");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];

  const form = document.createElement("form");
  form.className = "filter";
  form.setAttribute("role", "search");
  const text = Object.assign(document.createElement("input"), {
    type: "search",
    placeholder: "Filter trials",
  });
  text.setAttribute("aria-label", "Filter trials");
  const count = document.createElement("output");
  form.append(text);

  const selects = [...table.tHead.rows[0].cells]
    .map((cell, column) => ({ cell, column }))
    .filter(({ cell }) => cell.dataset.select !== undefined)
    .map(({ cell, column }) => {
      const select = document.createElement("select");
      select.setAttribute("aria-label", cell.textContent);
      select.append(new Option(`${cell.textContent}: all`, ""));
      const values = new Set(rows.map((row) => row.cells[column].textContent));
      [...values].sort().forEach((value) => select.append(new Option(value, value)));
      form.append(select);
      return { select, column };
    });
  form.append(count);
  table.closest(".scroll").before(form);

  const show = () => {
    const wanted = text.value.toLowerCase();
    let shown = 0;
    rows.forEach((row) => {
      const keep =
        row.textContent.toLowerCase().includes(wanted) &&
        selects.every(({ select, column }) => !select.value || row.cells[column].textContent === select.value);
      row.hidden = !keep;
      shown += keep;
    });
    count.textContent = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const up = cell.getAttribute("aria-sort") !== "ascending";
      [...cell.parentNode.cells].forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      };
      [...rows].sort((a, b) => (up ? order(a, b) : order(b, a))).forEach((row) => body.append(row));
    });
  });
});
