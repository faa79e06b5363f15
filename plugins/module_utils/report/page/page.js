"use strict";
// Search, verdict filter and pages over the nodes. The first ones are in the page as HTML; the others come packed (gzip, base64)
// as [verdict, search key, HTML], escaped by the program that wrote the page.
(async () => {
  const list = document.getElementById("nodes");
  const form = document.getElementById("search");
  const pager = document.getElementById("pager");
  const [previous, next] = pager.querySelectorAll("button");
  const nodes = Array.from(list.children, (node) => [node.dataset.verdict, node.dataset.key, node.outerHTML]);
  let first = 0;
  let page = 100;

  function show() {
    const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = form.verdict.value;
    const hits = nodes.filter((node) => (!verdict || node[0] === verdict) && words.every((word) => node[1].includes(word)));
    first = Math.max(0, Math.min(first, hits.length - 1));
    first -= first % page;
    list.innerHTML = hits.slice(first, first + page).map((node) => node[2]).join("");
    const last = Math.min(first + page, hits.length);
    pager.querySelector("output").textContent = hits.length
      ? `${(first + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ${hits.length.toLocaleString("en")}`
      : "No node matches";
    previous.disabled = first === 0;
    next.disabled = last >= hits.length;
    pager.hidden = hits.length === nodes.length && nodes.length <= page;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { first = 0; show(); });
  pager.addEventListener("click", (event) => {
    if (!event.target.value) return;
    first += Number(event.target.value) * page;
    show();
    form.scrollIntoView();
  });
  document.addEventListener("click", (event) => {
    const check = event.target.dataset.find;
    if (check === undefined) return;
    form.text.value = check;
    form.verdict.value = "";
    first = 0;
    show();
    form.scrollIntoView();
  });
  // On paper a closed node says nothing of its findings: open those that need a look.
  window.addEventListener("beforeprint", () => {
    for (const node of list.querySelectorAll('.node:not([data-verdict="ready"])')) node.open = true;
  });

  const packed = document.getElementById("packed");
  if (packed) {
    const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
    const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    nodes.push(...JSON.parse(text));
    page = 25;
    show();
  }
  form.hidden = nodes.length < 2;
})();
