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

  // Send files one after the other; several pictures become a folder. Then tell the drop zone of that number where they are.
  async send(list, zone) {
    const files = [...list];
    if (!files.length) return;
    const pictures = files.every((file) => file.type.startsWith("image/"));
    const group = pictures ? "pictures-" + Date.now().toString(36) : "-";
    let path = "";
    for (const [number, file] of files.entries()) {
      const of = files.length > 1 ? ` (${number + 1} of ${files.length})` : "";
      const answer = await studio.put(file, `/upload/${group}/${encodeURIComponent(file.name)}`, (share) =>
        emitEvent("sending" + zone, { words: `${file.name}${of}: ${Math.round(100 * share)}%` }));
      if (!answer) return emitEvent("sent" + zone, { failed: file.name });
      path = answer.path;
    }
    emitEvent("sent" + zone, { path });
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
};

{
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  document.documentElement.lang = "en";
}
