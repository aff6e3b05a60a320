// Runs the scripts of the page "Ask your own question" outside a browser: JSON in, JSON out.
const path = require("path");
const assets = path.join(__dirname, "..", "..", "site", "assets");
const engine = require(path.join(assets, "pool.js"));
const page = require(path.join(assets, "explore.js"));

const { kind, cases } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const plain = (x) => (Number.isFinite(x) ? x : null);
const numbers = (fit) => ["estimate", "low", "high", "predLow", "predHigh", "tau2", "i2", "q", "qP"].map((n) => plain(fit[n]));

const run = {
  pool: ({ rows, measure, options }) => numbers(engine.poolRows(rows, measure, options)),
  view: ({ address, questions }) => {
    const view = page.fromAddress(address, questions);
    const question = questions.find((q) => q.name === view.q);
    const found = page.result(view, question, engine);
    return {
      address: page.toAddress(view, question),
      rows: [...view.rows],
      numbers: found && numbers(found.fit),
      note: found && found.note,
      python: found && page.python(question, found),
    };
  },
  parse: ({ text }) => {
    try {
      return { rows: page.parse(text).rows };
    } catch (error) {
      return { error: error.message };
    }
  },
}[kind];
const tried = (one) => {
  try {
    return run(one);
  } catch (error) {
    return { thrown: error.stack };
  }
};
process.stdout.write(JSON.stringify(cases.map(tried)));
