// A map of many points: drawn pixel by pixel into one picture, so that a hundred thousand of them move smoothly without a GPU.
// Emits pick (a row), ground (a place where no point is), hover (a row or -1) and lasso (corners); data-painted says when.

const REACH = 9; // CSS pixels around the pointer within which a point is meant
const STILL = 4; // CSS pixels that a click may move
const STEP = 0.12; // of the view that an arrow key moves

export default {
  template: `
    <div class="points" role="group" :aria-label="label">
      <canvas ref="plot" class="points-plot" aria-hidden="true"></canvas>
      <canvas ref="over" class="points-over" tabindex="0" role="img" :aria-label="label" :aria-describedby="described"
        :class="{ 'points-drawing': lasso }"
        @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="cancel" @pointerleave="leave"
        @wheel.prevent="wheel" @keydown="key" @focus="focus(true)" @blur="focus(false)" @dblclick.prevent></canvas>
      <div v-show="failed" class="points-failed" role="alert">{{ failed }}</div>
      <div ref="tip" class="points-tip" :style="tipStyle" aria-hidden="true"><slot></slot></div>
    </div>`,
  props: {
    url: String, // Float32 x, y, x, y ...
    tints: String, // a byte for each point: its place in the palette
    palette: Array, // "#rrggbb"
    label: String,
    described: String,
    lasso: Boolean,
  },
  data: () => ({ failed: "", tipStyle: { visibility: "hidden" } }),
  async mounted() {
    Object.assign(this, { xy: new Float32Array(0), tint: new Uint8Array(0), chosen: null, marks: [], hovered: -1, trail: null, pointers: new Map() });
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.$el);
    this.theme = new AbortController();
    for (const [who, what] of [[window, "theme"], [matchMedia("(prefers-color-scheme: dark)"), "change"]])
      who.addEventListener(what, () => this.repaint(), { signal: this.theme.signal });
    await this.load();
  },
  unmounted() {
    this.size.disconnect();
    this.theme.abort();
  },
  watch: {
    url() { this.load(); },
    tints() { this.loadTints(); },
    palette() { this.repaint(); },
    lasso() { this.trail = null; this.redrawOver(); },
  },
  methods: {
    // Data

    async load() {
      const url = this.url, [xy] = await Promise.all([this.bytes(url), this.loadTints()]);
      if (!xy || url !== this.url) return; // by now others are asked for
      [this.xy, this.chosen] = [new Float32Array(xy), null];
      this.home();
      this.fit();
      requestAnimationFrame(() => requestAnimationFrame(() => { this.$el.dataset.painted = performance.now(); })); // ms since navigation
    },
    async loadTints() {
      const url = this.tints, tint = await this.bytes(url);
      if (!tint || url !== this.tints) return; // by now others are asked for
      this.tint = new Uint8Array(tint);
      this.repaint();
    },
    async bytes(url) {
      const answer = await fetch((window.path_prefix || "") + url).catch(() => null);
      this.failed = answer && answer.ok ? "" : "The map could not be loaded. Reload the page.";
      return this.failed ? null : answer.arrayBuffer();
    },
    mark(marks) { // rings around places: x, y and a word each
      this.marks = marks;
      this.redrawOver();
    },
    choose(bits) { // which points are selected, a bit each in base64; none dims nothing
      this.chosen = bits ? Uint8Array.from(atob(bits), (c) => c.charCodeAt(0)) : null;
      this.repaint();
    },

    // The view: pixel = scale * value + shift, in device pixels

    home() { // all but the outermost thousandth of the points, with a margin
      const ends = [0, 1].map((axis) => {
        const values = Float32Array.from({ length: this.xy.length / 2 }, (_, i) => this.xy[2 * i + axis]).sort();
        const cut = Math.floor(values.length / 1000);
        const [low, high] = [values[cut] ?? 0, values[values.length - 1 - cut] ?? 0];
        const margin = 0.06 * (high - low) || 1;
        return [low - margin, high + margin];
      });
      this.frame = ends;
    },
    fit() { // keep the frame of values when the size of the element changes
      const { clientWidth: wide, clientHeight: high } = this.$el;
      if (!wide || !high || !this.frame) return;
      this.dpr = Math.min(window.devicePixelRatio || 1, 2);
      for (const canvas of [this.$refs.plot, this.$refs.over]) {
        canvas.width = Math.round(wide * this.dpr);
        canvas.height = Math.round(high * this.dpr);
      }
      this.picture = null;
      this.repaint();
    },
    scales() {
      const { width, height } = this.$refs.plot;
      const [[left, right], [low, high]] = this.frame;
      const [sx, sy] = [width / (right - left), -height / (high - low)];
      return [sx, -left * sx, sy, -high * sy];
    },
    toPixel(x, y) {
      const [sx, tx, sy, ty] = this.scales();
      return [sx * x + tx, sy * y + ty];
    },
    toValue(px, py) {
      const [sx, tx, sy, ty] = this.scales();
      return [(px - tx) / sx, (py - ty) / sy];
    },
    pan(shareX, shareY) {
      this.frame = this.frame.map(([a, b], i) => [a, b].map((v) => v + [shareX, shareY][i] * (b - a)));
      this.repaint();
    },
    zoom(factor, at) {
      const centre = at ? this.toValue(...at) : this.frame.map(([a, b]) => (a + b) / 2);
      this.frame = this.frame.map(([a, b], i) => [a, b].map((v) => centre[i] + (v - centre[i]) / factor));
      this.repaint();
    },
    reset() {
      this.home();
      this.repaint();
    },

    // Drawing

    repaint() {
      if (this.waiting || !this.frame) return;
      this.waiting = requestAnimationFrame(() => {
        this.waiting = null;
        this.drawPoints();
        this.drawOver();
      });
    },
    redrawOver() {
      if (this.frame) requestAnimationFrame(() => this.drawOver());
    },
    stamp(width) { // of the pixels of one point: how far from its middle, and how strong (0..256)
      const n = this.xy.length / 2, at = [], strength = [];
      const radius = this.dpr * Math.min(5, Math.max(1.3, 130 / Math.sqrt(n + 100))), reach = Math.ceil(radius + 0.5);
      for (let y = -reach; y <= reach; y++)
        for (let x = -reach; x <= reach; x++) {
          const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
          if (cover > 0.05) at.push(y * width + x), strength.push(Math.round(217 * cover));
        }
      return { reach, at: Int32Array.from(at), strength: Int32Array.from(strength) };
    },
    drawPoints() {
      const { width, height } = this.$refs.plot;
      if (!width) return;
      const context = this.$refs.plot.getContext("2d");
      if (!this.picture) {
        this.picture = context.createImageData(width, height);
        this.pixels = new Uint32Array(this.picture.data.buffer);
      }
      const pixels = this.pixels;
      const paper = colour(getComputedStyle(this.$el).backgroundColor);
      pixels.fill(packed(paper));
      const colours = (this.palette || []).map(colour);
      const faded = colours.map((c) => c.map((v, i) => Math.round(0.22 * v + 0.78 * paper[i])));
      const [sx, tx, sy, ty] = this.scales();
      const { reach, at, strength } = this.stamp(width), xy = this.xy, n = xy.length / 2;
      const parts = this.chosen ? [false, true] : [null]; // the selected on top
      for (const wanted of parts)
        for (let i = 0; i < n; i++) {
          if (wanted !== null && Boolean(this.chosen[i >> 3] & (128 >> (i & 7))) !== wanted) continue;
          const px = Math.round(sx * xy[2 * i] + tx), py = Math.round(sy * xy[2 * i + 1] + ty);
          if (!(px >= reach && px < width - reach && py >= reach && py < height - reach)) continue;
          const [r, g, b] = (wanted === false ? faded : colours)[this.tint[i]] || paper, place = py * width + px;
          for (let k = 0; k < at.length; k++) {
            const a = strength[k], rest = 256 - a, old = pixels[place + at[k]];
            pixels[place + at[k]] = 0xff000000
              | ((((old >> 16) & 255) * rest + b * a) & 0xff00) << 8
              | ((((old >> 8) & 255) * rest + g * a) & 0xff00)
              | ((old & 255) * rest + r * a) >> 8;
          }
        }
      context.putImageData(this.picture, 0, 0);
    },
    drawOver() {
      const canvas = this.$refs.over;
      if (!canvas || !canvas.width) return;
      const context = canvas.getContext("2d"), style = getComputedStyle(this.$el);
      const ink = style.color, halo = style.backgroundColor, d = this.dpr;
      const stroke = (width, draw) => [[halo, width + 2.5], [ink, width]].forEach(([colour, w]) => {
        context.strokeStyle = colour;
        context.lineWidth = w * d;
        context.beginPath();
        draw();
        context.stroke();
      });
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (this.hovered >= 0) {
        const [x, y] = this.toPixel(this.xy[2 * this.hovered], this.xy[2 * this.hovered + 1]);
        stroke(1.5, () => context.arc(x, y, 6 * d, 0, 7));
      }
      context.font = `600 ${13 * d}px system-ui, sans-serif`;
      context.textBaseline = "middle";
      for (const [mx, my, text] of this.marks) {
        const [x, y] = this.toPixel(mx, my);
        stroke(2, () => context.arc(x, y, 8 * d, 0, 7));
        [[halo, 4], [ink, 0]].forEach(([colour, w]) => {
          context.lineWidth = w * d;
          context.strokeStyle = context.fillStyle = colour;
          if (w) context.strokeText(text, x + 12 * d, y);
          else context.fillText(text, x + 12 * d, y);
        });
      }
      if (this.trail && this.trail.length > 1)
        stroke(1.5, () => this.trail.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y)));
      if (this.aimed) {
        const [x, y] = [canvas.width / 2, canvas.height / 2];
        stroke(1.5, () => [[-1, 0], [1, 0], [0, -1], [0, 1]].forEach(([a, b]) => {
          context.moveTo(x + 4 * d * a, y + 4 * d * b);
          context.lineTo(x + 11 * d * a, y + 11 * d * b);
        }));
      }
    },

    // Pointers

    place(event) {
      const box = this.$refs.over.getBoundingClientRect();
      return [(event.clientX - box.left) * this.dpr, (event.clientY - box.top) * this.dpr];
    },
    down(event) {
      this.$refs.over.setPointerCapture(event.pointerId);
      const at = this.place(event);
      this.pointers.set(event.pointerId, at);
      this.from = at;
      this.moved = this.pointers.size > 1;
      this.trail = this.lasso && this.pointers.size === 1 ? [at] : null;
      this.focus(false);
      if (this.trail || event.pointerType !== "mouse") this.show(-1);
    },
    move(event) {
      const at = this.place(event), before = this.pointers.get(event.pointerId);
      if (!before) return event.pointerType === "mouse" ? this.hover(at) : null;
      if (Math.hypot(at[0] - this.from[0], at[1] - this.from[1]) > STILL * this.dpr) this.moved = true;
      if (this.pointers.size === 2) this.pinch(event.pointerId, at);
      else if (this.trail) this.trail.push(at), this.redrawOver();
      else if (this.moved) this.show(-1), this.pan((before[0] - at[0]) / this.$refs.plot.width, (at[1] - before[1]) / this.$refs.plot.height);
      this.pointers.set(event.pointerId, at);
    },
    pinch(id, at) {
      const [before, other] = [this.pointers.get(id), ...[...this.pointers].filter(([key]) => key !== id).map(([, p]) => p)];
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      this.zoom(apart(at) / apart(before), other);
    },
    up(event) {
      const at = this.place(event);
      this.pointers.delete(event.pointerId);
      if (this.trail && this.moved) this.$emit("lasso", thinned(this.trail).map((p) => this.toValue(...p)));
      else if (!this.moved) this.click(at);
      this.trail = null;
      this.redrawOver();
    },
    cancel(event) {
      this.pointers.delete(event.pointerId);
      this.trail = null;
      this.redrawOver();
    },
    leave() {
      if (!this.pointers.size) this.show(-1);
    },
    wheel(event) {
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), this.place(event));
      this.show(-1);
    },
    click(at) {
      const row = this.nearest(at);
      if (row >= 0) this.$emit("pick", row);
      else this.$emit("ground", this.toValue(...at));
    },
    hover(at) {
      this.show(this.nearest(at));
    },
    show(row) {
      if (row === this.hovered) return;
      this.hovered = row;
      this.tipStyle = { visibility: "hidden" };
      this.$emit("hover", row);
      this.redrawOver();
    },
    tip(row) { // what is told of the hovered point is there: show it beside the point
      if (row !== this.hovered || row < 0) return;
      const [x, y] = this.toPixel(this.xy[2 * row], this.xy[2 * row + 1]).map((v) => v / this.dpr);
      const { clientWidth: wide, clientHeight: high } = this.$el, { offsetWidth: w, offsetHeight: h } = this.$refs.tip;
      const left = x + 16 + w > wide ? x - 16 - w : x + 16;
      this.tipStyle = { left: `${Math.max(4, left)}px`, top: `${Math.max(4, Math.min(y - h / 2, high - h - 4))}px` };
    },
    nearest([px, py]) {
      const [sx, tx, sy, ty] = this.scales(), xy = this.xy;
      let best = -1, least = (REACH * this.dpr) ** 2;
      for (let i = 0; i < xy.length / 2; i++) {
        const dx = sx * xy[2 * i] + tx - px, dy = sy * xy[2 * i + 1] + ty - py, apart = dx * dx + dy * dy;
        if (apart < least) [best, least] = [i, apart];
      }
      return best;
    },

    // Keys: arrows move, plus and minus zoom, 0 shows everything, Enter is a click in the middle

    focus(on) {
      this.aimed = on && this.$refs.over.matches(":focus-visible");
      this.redrawOver();
    },
    key(event) {
      const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
      const { width, height } = this.$refs.plot;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (moves[event.key]) this.pan(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.25);
      else if (event.key === "-") this.zoom(0.8);
      else if (event.key === "0") this.reset();
      else if (event.key === "Enter") this.click([width / 2, height / 2]);
      else return;
      event.preventDefault();
      this.aimed = true;
      this.redrawOver();
    },
    view() { // the corners of what is seen, as of a lasso
      const [[left, right], [low, high]] = this.frame;
      return [[left, low], [right, low], [right, high], [left, high]];
    },
  },
};

function colour(text) { // "#rrggbb" or "rgb(r, g, b)" as [r, g, b]
  if (text[0] === "#") return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  return text.match(/[\d.]+/g).slice(0, 3).map(Number);
}

function packed([r, g, b]) {
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}

function thinned(trail) { // at most some hundreds of corners
  const every = Math.ceil(trail.length / 400);
  return trail.filter((_, i) => i % every === 0);
}
