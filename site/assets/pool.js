// Meta-analysis for the page "Ask your own question": the models of metablin.pool that it offers,
// to the same digits. tests/site/test_explore.py compares the two. No other file is needed.
(function (home) {
  "use strict";

  const sum = (values) => values.reduce((total, x) => total + x, 0);

  // --- distributions --------------------------------------------------------------------------

  // Lanczos approximation (g = 7, n = 9).
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
  ];

  function logGamma(x) {
    if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
    const t = x + 6.5;
    let series = LANCZOS[0];
    for (let i = 1; i < LANCZOS.length; i += 1) series += LANCZOS[i] / (x - 1 + i);
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
  }

  // Upper tail of the gamma distribution: a series below a + 1, a continued fraction (Lentz) above.
  function gammaTail(a, x, logGammaA = logGamma(a)) {
    if (x <= 0) return 1;
    const front = Math.exp(a * Math.log(x) - x - logGammaA);
    if (x < a + 1) {
      let term = 1 / a;
      let total = term;
      for (let n = 1; Math.abs(term) > total * 1e-17 && n < 1000; n += 1) {
        term *= x / (a + n);
        total += term;
      }
      return 1 - front * total;
    }
    let b = x + 1 - a;
    let c = 1e300;
    let d = 1 / b;
    let h = d;
    for (let i = 1; i < 1000; i += 1) {
      const an = -i * (i - a);
      b += 2;
      d = 1 / (an * d + b);
      c = b + an / c;
      const step = d * c;
      h *= step;
      if (Math.abs(step - 1) < 1e-16) break;
    }
    return front * h;
  }

  // Rational approximations of Cody (1969, Math Comp 23:631-637, doi:10.2307/2004390) to erf below
  // 0.46875 and to erfc up to 4 and beyond, each to 16 digits.
  const ERF = [
    [1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3],
    [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
  ];
  const ERFC = [
    [2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
      8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3],
    [1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
      3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3],
  ];
  const ERFC_FAR = [
    [1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
      1.60837851487422766e-2, 6.58749161529837803e-4],
    [1, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
      2.33520497626869185e-3],
  ];

  function horner(coefficients, x) {
    let value = 0;
    for (let i = 0; i < coefficients.length; i += 1) value = value * x + coefficients[i];
    return value;
  }
  const ratio = (parts, x) => horner(parts[0], x) / horner(parts[1], x);

  function erfc(x) { // x >= 0
    if (x < 0.46875) return 1 - x * ratio(ERF, x * x);
    const peak = Math.exp(-x * x);
    if (x <= 4) return peak * ratio(ERFC, x);
    const far = 1 / (x * x);
    return (peak * (1 / Math.sqrt(Math.PI) - far * ratio(ERFC_FAR, far))) / x;
  }

  const normalTail = (z) => 0.5 * erfc(z * Math.SQRT1_2); // z >= 0
  const normalCdf = (z) => (z > 0 ? 1 - normalTail(z) : normalTail(-z));

  const normalDensity = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

  // Regularised incomplete beta function (continued fraction, Lentz).
  function beta(x, a, b) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - beta(1 - x, b, a);
    const logs = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
    let c = 1;
    let d = 1 / (1 - ((a + b) * x) / (a + 1));
    let h = d;
    for (let m = 1; m < 500; m += 1) {
      let an = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + an * d);
      c = 1 + an / c;
      h *= d * c;
      an = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / (1 + an * d);
      c = 1 + an / c;
      h *= d * c;
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return (Math.exp(logs) * h) / a;
  }

  const tTail = (t, df) => 0.5 * beta(df / (df + t * t), df / 2, 0.5); // t > 0

  // Positive root of a decreasing tail: bisection, which cannot fail, on a bracket found by doubling.
  function upperQuantile(tail, p) {
    let high = 1;
    while (tail(high) > p && high < 1e12) high *= 2;
    let low = high > 1 ? high / 2 : 0;
    for (let i = 0; i < 200 && high - low > 1e-16 * high; i += 1) {
      const middle = (low + high) / 2;
      if (tail(middle) > p) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  const known = new Map();
  // Critical value of a two-sided interval; df = Infinity is the normal distribution.
  function critical(level, df) {
    const name = `${level} ${df}`;
    if (!known.has(name)) {
      const p = (1 - level) / 2;
      const tail = df === Infinity ? normalTail : (t) => tTail(t, df);
      known.set(name, upperQuantile(tail, p));
    }
    return known.get(name);
  }

  // --- heterogeneity --------------------------------------------------------------------------

  // Weighted mean and what the estimators of tau2 need at weights 1 / (v + tau2).
  function weighted(y, v, tau2) {
    const w = v.map((x) => 1 / (x + tau2));
    const total = sum(w);
    const mean = sum(w.map((x, i) => x * y[i])) / total;
    const r = w.map((x, i) => x * (y[i] - mean));
    return { w, total, mean, r, rss: sum(r.map((x, i) => (x * x) / w[i])) };
  }

  function dersimonianLaird(y, v) {
    const f = weighted(y, v, 0);
    return Math.max(0, (f.rss - (y.length - 1)) / (f.total - sum(f.w.map((x) => x * x)) / f.total));
  }

  // Q(tau2) = k - 1: Newton from zero climbs to the root of a convex, falling function.
  function pauleMandel(y, v) {
    let tau2 = 0;
    for (let i = 0; i < 500; i += 1) {
      const f = weighted(y, v, tau2);
      const excess = f.rss - (y.length - 1);
      if (excess <= 0) break;
      const step = excess / sum(f.r.map((x) => x * x));
      tau2 += step;
      if (step <= 1e-15 * (tau2 + Math.min(...v))) break;
    }
    return tau2;
  }

  const logLikelihood = (f) => (sum(f.w.map(Math.log)) - f.rss - Math.log(f.total)) / 2;

  // Newton's method from the Hedges start with short steps towards zero (Viechtbauer 2005).
  function restrictedLikelihood(y, v) {
    const k = y.length;
    const typical = sum(v) / k;
    const smallest = Math.min(...v);
    const flat = sum(y) / k;
    let tau2 = Math.max(0, sum(y.map((x) => (x - flat) ** 2)) / (k - 1) - typical);
    for (let i = 0; i < 500; i += 1) {
      const f = weighted(y, v, tau2);
      const [w2, w3] = [2, 3].map((power) => sum(f.w.map((x) => x ** power)));
      const expected = w2 - (2 * w3) / f.total + (w2 / f.total) ** 2;
      const cubic = sum(f.r.map((x, j) => f.w[j] * x * x)) - sum(f.r.map((x, j) => f.w[j] * x)) ** 2 / f.total;
      const score = sum(f.r.map((x) => x * x)) - (f.total - w2 / f.total);
      const observed = 2 * cubic - expected;
      const concave = observed > 0.1 * expected;
      let next = tau2 + score / (concave ? observed : expected);
      if (!concave && score <= 0) next = Math.min(next, tau2 / 2);
      next = Math.max(next, tau2 > 0.01 * smallest ? tau2 / 4 : 0);
      const still = Math.abs(next - tau2) <= 1e-14 * (next + typical);
      tau2 = next;
      if (still) break;
    }
    return logLikelihood(weighted(y, v, 0)) > logLikelihood(weighted(y, v, tau2)) ? 0 : tau2;
  }

  const TAU2 = { DL: dersimonianLaird, PM: pauleMandel, REML: restrictedLikelihood };

  // --- the rule for few studies: a half-Cauchy prior on tau -----------------------------------

  const NODES = 12;
  const PANEL = 0.25;
  const REACH = 44;
  const SCALE = 0.5;
  const NEGLIGIBLE = 40; // e^-40 is 4e-18

  function gaussLegendre(n) {
    const nodes = [];
    for (let i = 1; i <= n; i += 1) {
      let x = Math.cos((Math.PI * (i - 0.25)) / (n + 0.5));
      let slope = 1;
      for (let step = 0; step < 100; step += 1) {
        let [before, now] = [1, x];
        for (let j = 2; j <= n; j += 1) [before, now] = [now, ((2 * j - 1) * x * now - (j - 1) * before) / j];
        slope = (n * (x * now - before)) / (x * x - 1);
        const next = x - now / slope;
        if (Math.abs(next - x) < 1e-16) break;
        x = next;
      }
      nodes.push({ x: (x + 1) / 2, w: 2 / ((1 - x * x) * slope * slope) });
    }
    return nodes;
  }
  const LEGENDRE = gaussLegendre(NODES);

  // Log density of the data and tau, the mean integrated out; and that mean given tau.
  function logJoint(y, v, tau) {
    const tau2 = tau * tau;
    let [total, moment, logs] = [0, 0, 0];
    for (let i = 0; i < y.length; i += 1) {
      const w = 1 / (v[i] + tau2);
      total += w;
      moment += w * y[i];
      logs += Math.log(w);
    }
    const mean = moment / total;
    let rss = 0;
    for (let i = 0; i < y.length; i += 1) rss += (y[i] - mean) ** 2 / (v[i] + tau2);
    const prior = Math.log(2 / (Math.PI * SCALE)) - Math.log1p((tau / SCALE) ** 2);
    return { logs: prior + (logs - rss - Math.log(total)) / 2, mean, sd: total ** -0.5 };
  }

  // Posterior mass of tau over panels of log(tau); given tau, the mean is normal. Panels where the
  // density is NEGLIGIBLE beside its top are passed over.
  function posterior(y, v) {
    const spread = Math.max(...y) - Math.min(...y);
    const smallest = Math.min(...v);
    const scales = [smallest, Math.max(...v)].map((x) => 0.5 * Math.log(x));
    scales.push(Math.log(SCALE), Math.log(Math.max(spread, Math.sqrt(smallest))));
    const low = Math.min(...scales) - REACH;
    const panel = Math.min(PANEL, 2.5 / Math.sqrt(2 * y.length));
    const panels = Math.ceil((Math.max(...scales) + REACH - low) / panel);
    const middles = Array.from({ length: panels }, (_, j) => low + panel * (j + 0.5));
    const heights = middles.map((x) => logJoint(y, v, Math.exp(x)).logs + x);
    const least = heights.reduce((a, b) => Math.max(a, b)) - NEGLIGIBLE;
    const grid = [];
    for (let j = 0; j < panels; j += 1) {
      if (heights[j] < least) continue;
      for (const node of LEGENDRE) {
        const x = low + panel * (j + node.x);
        const tau = Math.exp(x);
        const at = logJoint(y, v, tau);
        grid.push({ panel: j, tau, mean: at.mean, sd: at.sd, logs: at.logs + x, w: node.w, mass: 0 });
      }
    }
    const top = grid.reduce((most, g) => Math.max(most, g.logs), -Infinity);
    grid.forEach((g) => { g.mass = Math.exp(g.logs - top) * g.w; });
    const total = sum(grid.map((g) => g.mass));
    grid.forEach((g) => { g.mass /= total; });
    return { grid, low, panel, norm: top + Math.log((total * panel) / 2) };
  }

  // Quantile of a mixture of normals: a bracket found by doubling, Newton steps kept inside it.
  function mixtureQuantile(parts, p) {
    const at = (x) => {
      let [value, slope] = [-p, 0];
      for (const g of parts) {
        const z = (x - g.mean) / g.sd;
        value += g.mass * normalCdf(z);
        slope += (g.mass * normalDensity(z)) / g.sd;
      }
      return [value, slope];
    };
    const heaviest = parts.reduce((best, g) => (g.mass > best.mass ? g : best));
    let x = heaviest.mean;
    let [value, slope] = at(x);
    const way = value > 0 ? -1 : 1;
    let [near, far] = [x, x];
    for (let reach = heaviest.sd; value * way < 0 && Number.isFinite(far); reach *= 2) {
      [near, far] = [far, far + way * reach];
      [value, slope] = at(far);
      x = far;
    }
    for (let i = 0; i < 200; i += 1) {
      let next = x - value / slope;
      if (!((next - near) * (next - far) < 0)) next = (near + far) / 2;
      if (Math.abs(next - x) <= 1e-13 * (Math.abs(x) + 1e-3)) return next;
      x = next;
      [value, slope] = at(x);
      if (value * way < 0) near = x;
      else far = x;
    }
    return x;
  }

  function tauMedian(y, v, post) {
    const masses = [];
    post.grid.forEach((g) => { masses[g.panel] = (masses[g.panel] || 0) + g.mass; });
    let before = 0;
    let j = 0;
    while (before + (masses[j] || 0) < 0.5) { before += masses[j] || 0; j += 1; }
    const start = post.low + post.panel * j;
    let [low, high] = [start, start + post.panel];
    for (let i = 0; i < 60; i += 1) {
      const x = (low + high) / 2;
      const part = LEGENDRE.map((n) => {
        const at = start + (x - start) * n.x;
        return n.w * Math.exp(logJoint(y, v, Math.exp(at)).logs + at - post.norm);
      });
      if (before + (sum(part) * (x - start)) / 2 < 0.5) low = x;
      else high = x;
    }
    return Math.exp((low + high) / 2);
  }

  function fewStudies(y, v, level) {
    const post = posterior(y, v);
    const tails = [0.5, (1 - level) / 2, (1 + level) / 2];
    const kept = post.grid.filter((g) => g.mass > 1e-15);
    const [estimate, low, high] = tails.map((p) => mixtureQuantile(kept, p));
    const wide = kept.map((g) => ({ mean: g.mean, sd: Math.hypot(g.sd, g.tau), mass: g.mass }));
    const [, predLow, predHigh] = tails.map((p, i) => (i ? mixtureQuantile(wide, p) : 0));
    const weights = y.map(() => 0);
    kept.forEach((g) => {
      const w = v.map((x) => 1 / (x + g.tau * g.tau));
      const total = sum(w);
      w.forEach((x, i) => { weights[i] += (g.mass * x) / total; });
    });
    return { estimate, low, high, predLow, predHigh, tau2: tauMedian(y, v, post) ** 2, weights };
  }

  // --- pooling --------------------------------------------------------------------------------

  /** Pool effects on the analysis scale. options: model (rule, random, common), tau2 (DL, PM,
   *  REML), ci (z, hksj), level. What cannot be computed is NaN. */
  function pool(y, v, options = {}) {
    const { model = "random", tau2: method = "REML", ci = "hksj", level = 0.95 } = options;
    const k = y.length;
    if (!k) throw new RangeError("no study is chosen");
    const common = weighted(y, v, 0);
    const q = common.rss;
    const base = { k, q, qP: k > 1 ? gammaTail((k - 1) / 2, q / 2) : 1 };
    if (k === 1) {
      const half = critical(level, Infinity) * Math.sqrt(v[0]);
      return { ...base, model: "random", estimate: y[0], low: y[0] - half, high: y[0] + half,
        predLow: NaN, predHigh: NaN, tau2: 0, i2: 0, weights: [1] };
    }
    const share = (tau2) => tau2 / (tau2 + ((k - 1) * common.total) / (common.total ** 2 - sum(common.w.map((x) => x * x))));
    if (model === "rule") {
      const found = fewStudies(y, v, level);
      return { ...base, model: "bayes", i2: share(found.tau2), ...found };
    }
    const tau2 = model === "common" ? 0 : TAU2[method](y, v);
    const f = weighted(y, v, tau2);
    const variance = (ci === "hksj" ? f.rss / (k - 1) : 1) / f.total;
    const t = critical(level, ci === "hksj" ? k - 1 : Infinity);
    const half = t * Math.sqrt(variance);
    const ahead = model === "common" ? NaN : t * Math.sqrt(tau2 + variance);
    return {
      ...base, model, estimate: f.mean, low: f.mean - half, high: f.mean + half,
      predLow: f.mean - ahead, predHigh: f.mean + ahead, tau2,
      i2: model === "common" ? (q > 0 ? Math.max(0, (q - (k - 1)) / q) : 0) : share(tau2),
      weights: f.w.map((x) => x / f.total),
    };
  }

  // --- effect sizes ---------------------------------------------------------------------------

  const MEASURES = {
    // Logit; one half is added to both cells of a row with an empty one.
    proportion: {
      effect({ events, n }) {
        const add = events === 0 || events === n ? 0.5 : 0;
        const [a, b] = [events + add, n - events + add];
        return { y: Math.log(a / b), v: 1 / a + 1 / b };
      },
      back: (x) => 1 / (1 + Math.exp(-x)),
    },
    hr: {
      effect({ estimate, low, high, level = 0.95 }) {
        const width = Math.log(high) - Math.log(low);
        return { y: Math.log(estimate), v: (width / (2 * critical(level, Infinity))) ** 2 };
      },
      back: Math.exp,
    },
  };

  // Nobody, or everybody, had the event: all are one cohort (Clopper and Pearson 1934).
  function exact(rows, events, patients, { level = 0.95 }) {
    const end = ((1 - level) / 2) ** (1 / patients);
    const [estimate, low, high] = events ? [1, end, 1] : [0, 0, 1 - end];
    const none = { predLow: NaN, predHigh: NaN, tau2: NaN, i2: NaN, q: NaN, qP: NaN };
    return { ...none, k: rows.length, model: "exact", estimate, low, high, weights: rows.map((r) => r.n / patients) };
  }

  /** Pool rows of a measure and return the result on the reader's scale, with each row's own. */
  function poolRows(rows, measure, options = {}) {
    const { effect, back } = MEASURES[measure];
    const patients = sum(rows.map((r) => r.n || 0));
    const events = sum(rows.map((r) => r.events || 0));
    if (patients && (events === 0 || events === patients)) return exact(rows, events, patients, options);
    const effects = rows.map(effect);
    const fit = pool(effects.map((e) => e.y), effects.map((e) => e.v), options);
    const names = ["estimate", "low", "high", "predLow", "predHigh"];
    return {
      ...fit,
      analysis: Object.fromEntries(names.map((n) => [n, fit[n]])),
      ...Object.fromEntries(names.map((n) => [n, back(fit[n])])),
    };
  }

  const api = { pool, poolRows, critical, normalCdf, MEASURES };
  if (typeof module !== "undefined") module.exports = api;
  else home.metablinPool = api;
})(typeof window === "undefined" ? globalThis : window);
