// Returns what is wrong with the layout of a page, one line each. Evaluated in the page.
(() => {
  const found = new Set();
  const root = document.documentElement;
  const name = (e) => e.tagName.toLowerCase() + (e.className && e.className.baseVal === undefined ? "." + e.className.trim().replace(/\s+/g, ".") : "");
  const hidden = (e) => !e.checkVisibility() || e.closest(".vh, .skip, [aria-hidden=true]");
  // scrolls returns the nearest box around e that can be scrolled to show all of it.
  const scrolls = (e) => {
    for (; e && e !== document.body; e = e.parentElement) if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return e;
  };

  if (root.scrollWidth > innerWidth) found.add(`the page scrolls sideways by ${root.scrollWidth - innerWidth} px`);

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode()); ) {
    const e = node.parentElement;
    if (!node.data.trim() || hidden(e) || e.closest("option, script, pre")) continue;
    const range = document.createRange();
    const at = (from, to) => (range.setStart(node, from), range.setEnd(node, to), range.getBoundingClientRect());
    const all = at(0, node.length);
    if (!scrolls(e)) {
      if (all.left < -1 || all.right > innerWidth + 1) found.add(`${name(e)}: ${JSON.stringify(node.data.trim().slice(0, 40))} leaves the screen`);
      for (let box = e; box !== document.body; box = box.parentElement) {
        const style = getComputedStyle(box), edge = box.getBoundingClientRect();
        if (style.overflowX === "visible" || style.textOverflow === "ellipsis") continue;
        if (all.left < edge.left - 1 || all.right > edge.right + 1) found.add(`${name(e)}: ${JSON.stringify(node.data.trim().slice(0, 40))} is cut off by ${name(box)}`);
      }
    }
    // A word is broken only where it is too long for any line: of names that people chose.
    if (e.closest("h1, code") || node.data.includes("://")) continue;
    const longest = innerWidth >= 900 ? 24 : 12;
    for (const word of node.data.matchAll(/[\p{L}\p{N}\p{M}@._]+/gu)) {
      if (word[0].length > longest) continue;
      const first = at(word.index, word.index + 1), last = at(word.index + word[0].length - 1, word.index + word[0].length);
      if (last.top - first.top > first.height / 2) found.add(`${name(e)}: the word ${JSON.stringify(word[0])} is broken`);
    }
  }

  for (const e of document.querySelectorAll("button, select, textarea, summary, nav a, .btn, input:not([type=hidden], [type=checkbox])")) {
    if (hidden(e) || e.closest(".linklike")) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 24 || box.height < 24) found.add(`${name(e)}: the target has ${Math.round(box.width)} by ${Math.round(box.height)} px`);
    if (/INPUT|SELECT|TEXTAREA/.test(e.tagName) && parseFloat(getComputedStyle(e).fontSize) < 16) found.add(`${name(e)}: iOS zooms into text of less than 16 px`);
  }

  for (const current of document.querySelectorAll("nav > [aria-current]")) {
    const box = current.getBoundingClientRect(), strip = current.parentElement.getBoundingClientRect();
    if (box.left < strip.left - 1 && box.width < strip.width || box.right > strip.right + 1) found.add(`${name(current)}: the current page is out of view in its strip`);
  }
  return [...found].join("\n");
})()
