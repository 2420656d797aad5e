// The little that has to happen in the browser itself: the theme, files that are dropped, and what moves without asking the server.
"use strict";

const studio = {
  // The theme follows the system until it is switched; what was chosen is remembered.
  switchTheme() {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark" ||
      (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    const theme = dark ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    dispatchEvent(new CustomEvent("theme", { detail: theme }));
  },

  // Send files, which may be looked for yet, once those before are through, so that what was dropped last arrives last.
  sending: Promise.resolve(),
  send(files, zone, folder = "") {
    studio.sending = studio.sending.finally(async () => studio.sendNow(await files, zone, folder));
    return studio.sending;
  },

  // Send files one after the other; those of a folder, several pictures, several files of one sort, and a record's become one. Then
  // tell the drop zone of that number where they are, of a record where its header is.
  async sendNow(list, zone, folder) {
    await studio.connected();
    const files = list.filter((file) => !/^(\.|thumbs\.db$|desktop\.ini$)/i.test(file.name));
    if (!files.length) return folder && emitEvent("sent" + zone, { failed: `There is no file in ${folder}.` });
    const sort = (file) => file.type.startsWith("image/") ? "pictures" : /\.[^.]+(\.gz)?$/.exec(file.name.toLowerCase())?.[0] ?? "files";
    const sorts = new Set(files.map(sort)), record = files.find((file) => sort(file) === ".hea");  // a record has files beside it
    if (!folder && !record && sorts.size > 1) {
      return emitEvent("sent" + zone, { failed: "These are files of several sorts. Drop those of one sort, or a folder." });
    }
    const one = !folder && !record && files.length === 1 && !sorts.has("pictures");
    const together = folder || record?.name.replace(/\.hea$/i, "") || (sorts.has("pictures") ? "pictures" : "files");
    const group = one ? "-" : `${encodeURIComponent(together.slice(0, 40))}-${Date.now().toString(36)}`;
    let path = "";
    for (const [number, file] of files.entries()) {
      const of = files.length > 1 ? ` (${number + 1} of ${files.length})` : "";
      const answer = await studio.put(file, `/upload/${group}/${encodeURIComponent(file.name)}`, (share) =>
        emitEvent("sending" + zone, { words: `${file.name}${of}: ${Math.round(100 * share)}%` }));
      if (!answer) return emitEvent("sent" + zone, { failed: `${file.name} could not be taken in. Is the disk full?` });
      if (!record || file === record) path = record && !folder ? answer.file : answer.path;
    }
    emitEvent("sent" + zone, { path });
  },

  // Wait until the server can be told something: what is told before comes in any order.
  async connected() {
    while (!window.did_handshake) await new Promise((done) => setTimeout(done, 10));
  },

  drop(event, zone) {
    event.currentTarget.classList.remove("over");
    const files = [...event.dataTransfer.files];  // both are gone once anything is waited for
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry);
    const folder = entries.find((entry) => entry.isDirectory);
    return folder ? studio.send(studio.inside(entries), zone, folder.name) : studio.send(files, zone);
  },

  // The files of an entry, and if it is a folder those of all in it that aren't hidden.
  async within(entry) {
    if (entry.name.startsWith(".")) return [];
    if (!entry.isDirectory) return [await new Promise((done, failed) => entry.file(done, failed))];
    const reader = entry.createReader(), inside = [];
    let more;
    do {  // a browser gives some of them at a time
      more = await new Promise((done, failed) => reader.readEntries(done, failed));
      inside.push(...more);
    } while (more.length);
    return studio.inside(inside);
  },

  async inside(entries) {
    return (await Promise.all(entries.map(studio.within))).flat();
  },

  put(file, address, told) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      let said = 0;
      request.upload.onprogress = (event) => {
        if (event.lengthComputable && Date.now() - said > 200) { said = Date.now(); told(event.loaded / event.total); }
      };
      request.onload = () => done(request.status === 200 ? JSON.parse(request.responseText) : null);
      request.onerror = () => done(null);
      request.open("PUT", address);
      request.send(file);
    });
  },

  // Show what is kept at the width that the slider is at: everything is on the page already.
  squeeze(slider) {
    const root = slider.closest(".squeeze");
    const widths = JSON.parse(root.dataset.widths), features = Number(root.dataset.features);
    const at = Number(slider.value), width = widths[at], share = 100 * at / Math.max(widths.length - 1, 1);
    slider.style.setProperty("--at", `calc(${share}% + ${(0.75 - 1.5 * share / 100).toFixed(3)}rem)`);
    slider.setAttribute("aria-valuetext", `${width} numbers`);
    root.querySelectorAll("[data-at]").forEach((part) => part.classList.toggle("on", Number(part.dataset.at) === at));
    root.querySelectorAll("[data-text=width]").forEach((part) => { part.textContent = width.toLocaleString("en"); });
    root.querySelectorAll(".mark").forEach((mark) => {
      mark.style.left = `${100 * Math.log(width / widths[0]) / (Math.log(widths.at(-1) / widths[0]) || 1)}%`;
    });
    const half = 2 + 46 * (width / features) ** 0.4;
    root.querySelectorAll(".waist path").forEach((path) => {
      const drawn = studio.waist(half, path.closest(".upright") !== null);
      path.setAttribute("d", drawn);
      path.style.d = `path("${drawn}")`;
    });
  },

  // An hourglass of 100 by 100 whose waist is 2 * half wide, lying or upright.
  waist(half, upright) {
    const [near, far] = [50 - half, 50 + half];
    const p = (along, across) => (upright ? `${across} ${along}` : `${along} ${across}`);
    return `M${p(-5, 1)}L${p(0, 1)}C${p(30, 1)} ${p(34, near)} ${p(50, near)}S${p(70, 1)} ${p(100, 1)}L${p(105, 1)}L${p(105, 99)}` +
      `L${p(100, 99)}C${p(70, 99)} ${p(66, far)} ${p(50, far)}S${p(30, 99)} ${p(0, 99)}L${p(-5, 99)}Z`;
  },

  // Redrawn by the networks, or by PCA.
  by(button) {
    const root = button.closest(".squeeze");
    button.parentElement.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    root.querySelectorAll("[data-by]").forEach((part) => part.classList.toggle("gone", part.dataset.by !== button.value));
  },
};

{
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  document.documentElement.lang = "en";
}
