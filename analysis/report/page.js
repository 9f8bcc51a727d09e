"use strict";
(function () {
  var PRINT_WIDE = 690, PRINT_SMALL = 335, PAPER = "#ffffff", INK = "#1a1a1a", MOST_ROWS = 500;
  var config = { displayModeBar: false, responsive: true, displaylogo: false };
  var specs = new WeakMap();

  function specOf(figure) {
    if (!specs.has(figure)) {
      var spec = JSON.parse(figure.querySelector("script").textContent);
      // Touch scrolls the page; only a mouse selects an area to zoom into.
      if (!spec.layout.dragmode || !matchMedia("(pointer: fine)").matches) spec.layout.dragmode = false;
      spec.table.rows = unfolded(spec.table.runs);
      specs.set(figure, spec);
    }
    return specs.get(figure);
  }

  // Run-length encoded columns ([value, count, ...]) as rows.
  function unfolded(columns) {
    var rows = [];
    columns.forEach(function (runs, place) {
      for (var at = 0, row = 0; at < runs.length; at += 2)
        for (var count = runs[at + 1]; count > 0; count -= 1, row += 1)
          (rows[row] = rows[row] || [])[place] = runs[at];
    });
    return rows;
  }

  function draw(figure) {
    var canvas = figure.querySelector(".canvas");
    if (canvas.dataset.drawn) return;
    canvas.dataset.drawn = "yes";
    var spec = specOf(figure);
    Plotly.newPlot(canvas, spec.data, spec.layout, config);
  }

  function isShown(figure) { return figure.getClientRects().length > 0; }

  function figures() { return Array.from(document.querySelectorAll("figure.plot")); }

  if ("IntersectionObserver" in window) {
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        watcher.unobserve(entry.target);
        draw(entry.target);
      });
    }, { rootMargin: "300px" });
    figures().forEach(function (figure) { watcher.observe(figure); });
  } else {
    figures().forEach(draw);
  }

  function save(url, name) {
    var link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
  }

  function saveText(text, type, name) {
    var url = URL.createObjectURL(new Blob([text], { type: type }));
    save(url, name);
    setTimeout(function () { URL.revokeObjectURL(url); }, 10000);
  }

  function csvCell(value) {
    if (value === null) return "";
    var text = String(value);
    // A spreadsheet takes a cell that starts like a formula as text only after an apostrophe.
    if (typeof value === "string" && /^[=+@-]/.test(text) && isNaN(Number(text))) text = "'" + text;
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }

  function csv(table) {
    return [table.columns].concat(table.rows).map(function (row) {
      return row.map(csvCell).join(",");
    }).join("\r\n") + "\r\n";
  }

  function svg(figure) {
    var spec = specOf(figure), canvas = figure.querySelector(".canvas");
    var layout = Object.assign({}, spec.layout, {
      paper_bgcolor: PAPER, plot_bgcolor: PAPER, font: Object.assign({}, spec.layout.font, { color: INK }),
      title: { text: figure.querySelector(".title").textContent, font: { size: 14 }, x: 0.01, y: 1, yanchor: "top", yref: "container", pad: { t: 8 } },
      margin: Object.assign({}, spec.layout.margin, { t: spec.layout.margin.t + 30 }),
      legend: Object.assign({}, spec.layout.legend, { y: 1 - 30 / (spec.layout.height + 30) })
    });
    delete layout.width;
    return Plotly.toImage({ data: spec.data, layout: layout, config: config }, {
      format: "svg", width: Math.max(canvas.clientWidth, 480), height: spec.layout.height + 30, imageDataOnly: true
    });
  }

  function cell(kind, text, row) {
    var made = document.createElement(kind);
    made.textContent = text === null ? "–" : String(text);
    if (kind === "th") made.scope = "col";
    if (typeof text === "number") made.className = "n";
    row.appendChild(made);
  }

  function table(figure) {
    var content = specOf(figure).table, title = figure.querySelector(".title").textContent;
    var box = document.createElement("div"), made = document.createElement("table");
    box.className = "scroll data";
    var rows = content.rows.slice(0, MOST_ROWS);
    made.createCaption().textContent = title + (rows.length < content.rows.length
      ? ": first " + rows.length + " of " + content.rows.length + " rows; the CSV has all of them" : "");
    var head = made.createTHead().insertRow();
    content.columns.forEach(function (name) { cell("th", name, head); });
    var body = made.createTBody();
    rows.forEach(function (values) {
      var row = body.insertRow();
      values.forEach(function (value) { cell("td", value, row); });
    });
    box.appendChild(made);
    return box;
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-do]");
    if (!button) return;
    var figure = button.closest("figure.plot");
    if (button.dataset.do === "csv") {
      saveText(csv(specOf(figure).table), "text/csv", figure.id + ".csv");
    } else if (button.dataset.do === "svg") {
      svg(figure).then(function (text) { saveText(text, "image/svg+xml", figure.id + ".svg"); });
    } else {
      var old = figure.querySelector(".data");
      if (old) { old.remove(); } else { figure.appendChild(table(figure)); reachable(); }
      button.setAttribute("aria-expanded", old ? "false" : "true");
    }
  });

  // Make exactly the boxes that scroll horizontally reachable by keyboard.
  function reachable() {
    document.querySelectorAll(".scroll, pre").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        var caption = box.querySelector("caption");
        box.setAttribute("aria-label", (caption ? caption.textContent : "text") + " (scrolls horizontally)");
      } else {
        box.removeAttribute("tabindex");
        box.removeAttribute("role");
        box.removeAttribute("aria-label");
      }
    });
  }
  reachable();
  window.addEventListener("resize", reachable);
  document.addEventListener("toggle", reachable, true);

  // Open the closed parts around the target of a link.
  function unfold() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  }
  window.addEventListener("hashchange", unfold);
  unfold();

  // Printing: open the tables and draw figures at page width; closed groups of figures stay closed.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open]):not(.pictures)").forEach(function (part) {
      part.open = true;
      opened.push(part);
    });
    figures().filter(isShown).forEach(function (figure) {
      draw(figure);
      Plotly.relayout(figure.querySelector(".canvas"), {
        autosize: false, width: figure.classList.contains("wide") ? PRINT_WIDE : PRINT_SMALL
      });
    });
  });
  window.addEventListener("afterprint", function () {
    opened.splice(0).forEach(function (part) { part.open = false; });
    figures().forEach(function (figure) {
      var canvas = figure.querySelector(".canvas");
      if (canvas.dataset.drawn) Plotly.relayout(canvas, { autosize: true, width: null });
    });
  });
})();
