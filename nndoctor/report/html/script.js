"use strict";
// Shows the values under the pointer. Reads the numbers that stand in each figure, and writes text only.
(function () {
  function word(value, percent) {
    if (typeof value === "string") return value === "nan" ? "NaN" : value;
    if (value === null) return "not measured";
    if (percent) return (100 * value).toPrecision(3).replace(/\.0+$/, "") + " %";
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
    return value.toLocaleString("en", { maximumSignificantDigits: 4 });
  }

  function line(tip, text, style) {
    const row = document.createElement("div");
    if (style) {
      const mark = document.createElement("i");
      mark.className = "swatch " + style;
      row.append(mark);
    }
    row.append(text);
    tip.append(row);
  }

  function nearest(points, x) {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle; else high = middle;
    }
    return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
  }

  // Each fills the tip for a place within the area, both shares of it, and says where the cursor stands.
  const fill = {
    lines(data, tip, across) {
      const wanted = data.low + across * (data.high - data.low);
      let at = null;
      for (const one of data.lines) {
        const point = nearest(one.points, wanted);
        if (at === null || Math.abs(point[0] - wanted) < Math.abs(at - wanted)) at = point[0];
      }
      line(tip, "step " + at.toLocaleString("en"));
      for (const one of data.lines) {
        const [x, y] = nearest(one.points, at);
        line(tip, one.name + ": " + word(y, data.percent) + (x === at ? "" : " (step " + x.toLocaleString("en") + ")"), one.style);
      }
      return (at - data.low) / (data.high - data.low);
    },
    cells(data, tip, across, down) {
      const column = Math.min(Math.floor(across * data.columns.length), data.columns.length - 1);
      const row = Math.min(Math.floor(down * data.rows.length), data.rows.length - 1);
      line(tip, data.rows[row]);
      line(tip, "step " + data.columns[column].toLocaleString("en") + ": " + word(data.values[row][column], data.percent));
      return across;
    },
    ranges(data, tip, across) {
      const one = data.ranges[Math.min(Math.floor(across * data.ranges.length), data.ranges.length - 1)];
      line(tip, "feature " + one.name);
      line(tip, "from " + word(one.low) + " to " + word(one.high));
      line(tip, "mean " + word(one.mean) + ", deviation " + word(one.deviation));
      return across;
    },
  };

  for (const figure of document.querySelectorAll("figure")) {
    const source = figure.querySelector("script[type='application/json']");
    const area = figure.querySelector(".area");
    if (!source || !area) continue;
    const data = JSON.parse(source.textContent);
    const tip = area.querySelector(".tip"), cursor = area.querySelector(".cursor");

    function show(across, down) {
      tip.replaceChildren();
      const at = fill[data.kind](data, tip, across, down);
      tip.hidden = false;
      if (cursor) { cursor.hidden = false; cursor.style.left = 100 * at + "%"; }
      // On the side where there is room, and never beyond the page.
      const box = area.getBoundingClientRect(), half = tip.offsetWidth / 2;
      const middle = box.left + at * box.width;
      const kept = Math.max(half + 4, Math.min(middle, document.documentElement.clientWidth - half - 4));
      tip.style.left = kept - half - box.left + "px";
    }
    function hide() {
      tip.hidden = true;
      if (cursor) cursor.hidden = true;
    }
    area.addEventListener("pointermove", (event) => {
      const box = area.getBoundingClientRect();
      const share = (value, size) => Math.max(0, Math.min(value / size, 0.9999));
      show(share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height));
    });
    area.addEventListener("pointerleave", hide);

    // The same by the arrow keys.
    let across = 0.5, down = 0.5;
    area.tabIndex = 0;
    area.setAttribute("role", "group");
    area.setAttribute("aria-label", figure.getAttribute("aria-label") + ": arrow keys read the values");
    area.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") hide();
      if (!move) return;
      event.preventDefault();
      const size = data.kind === "cells" ? [data.columns.length, data.rows.length] : [data.kind === "ranges" ? data.ranges.length : 50, 1];
      across = Math.max(0, Math.min(across + move[0] / size[0], 0.9999));
      down = Math.max(0, Math.min(down + move[1] / size[1], 0.9999));
      show(across, down);
    });
    area.addEventListener("blur", hide);
  }
})();
