// Draws the nodes and edges that pipeline_picture.py sends. Names come from clusters: they are only ever set as text.
// A run that brings other states for the same structure changes attributes alone, so that focus and scroll stay.

const SVG = "http://www.w3.org/2000/svg"
const NARROW = 640 // below this width the flow runs from top to bottom
const NODE = { least: 82, most: 168, padding: 6, lines: 3 }
const TAG = { indent: 13, space: 9, lines: 2 }
const LINE = 14
const TEXT = { least: 11, most: 12 } // px
const ICONS = {
  ready: "M1.5 5.6 4 8.2 8.6 2",
  stopped: "M2 2h6v6H2z",
  failed: "M2 2 8 8M8 2 2 8",
  changing: "M8.4 3.4A4 4 0 1 0 9 5.8M8.7.9V3.6H6",
  missing: "M5 1a4 4 0 1 0 .01 0",
  changed: "M1.5 3.6h7M1.5 6.4h7M7 .8 3 9.2",
  foreign: "M5 .9a2 2 0 1 1-.01 0M1.4 9.2c0-4.4 7.2-4.4 7.2 0",
  orphan: "M.8 5h2.4M6.8 5h2.4M4.4 2 5.6 8",
  given: "M.8 5h6M4.4 2.2 7.2 5 4.4 7.8M9.2 1.4v7.2",
  unknown: "M1.8 5h.01M5 5h.01M8.2 5h.01",
}
const views = new WeakMap()

export default function (component) {
  const { data, parentElement, setStateValue } = component
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement.querySelector(".picture")))
  const view = views.get(parentElement)
  view.tell = (id) => setStateValue("selected", id)
  view.show(data)
  return () => {
    view.watch.disconnect()
    views.delete(parentElement)
  }
}

class View {
  constructor(box) {
    this.scroll = html("div", "scroll", box)
    this.svg = this.scroll.appendChild(svg("svg", { role: "group" }))
    this.legend = html("div", "legend", box)
    this.parts = new Map() // by id: { node, group, …elements }
    this.lines = []
    this.selected = this.sent = null
    this.told = []
    this.measure = document.createElement("canvas").getContext("2d")
    this.svg.addEventListener("click", (event) => this.choose(event.target.closest?.(".node")?.dataset.id ?? null))
    this.svg.addEventListener("keydown", (event) => this.press(event))
    this.watch = new ResizeObserver(() => this.width() !== this.drawnFor && this.place())
    this.watch.observe(this.scroll)
    document.fonts?.ready.then(() => this.structure && this.place()) // names are measured in the page's own font
  }

  width() {
    return Math.floor(this.scroll.clientWidth)
  }

  show(data) {
    this.data = data
    this.follow(data.selected)
    const places = data.nodes.map(({ id, column, row, slot, state }) => [id, column, row, slot, state === "orphan"])
    const structure = JSON.stringify([places, data.edges])
    if (structure !== this.structure) {
      this.structure = structure
      this.build()
      this.place()
    }
    this.colour()
  }

  // what this view told comes back with the run that follows, perhaps after the next click; only others' choice is new
  follow(selected) {
    const told = this.told.indexOf(selected)
    if (selected === this.selected) this.told = []
    else if (told >= 0) this.told.splice(0, told + 1)
    else if (selected !== this.sent) this.selected = selected
    this.sent = selected
  }

  build() {
    const focused = this.svg.getRootNode().activeElement?.dataset?.id
    this.svg.replaceChildren()
    this.parts.clear()
    this.svg.setAttribute("aria-label", this.data.label)
    this.lines = this.data.edges.map((edge) => {
      const group = this.svg.appendChild(svg("g", { class: `edge ${edge.kind}`, "aria-hidden": "true" }))
      return { edge, group, path: group.appendChild(svg("path")), head: group.appendChild(svg("path", { class: "head" })) }
    })
    this.note = this.svg.appendChild(svg("text", { class: "note" }))
    for (const node of this.data.nodes) {
      const group = this.svg.appendChild(svg("g", { class: `node ${node.kind}${node.slot ? " slot" : ""}`, role: "button", tabindex: "0" }))
      group.dataset.id = node.id
      const part = { node, group }
      for (const name of ["focus", "ring", "shape", "bar"]) part[name] = group.appendChild(svg("path", { class: name }))
      part.title = group.insertBefore(svg("title"), group.firstChild)
      part.name = group.appendChild(svg("text", { class: "name" }))
      part.icon = group.appendChild(svg("path", { class: "icon" }))
      part.word = group.appendChild(svg("text", { class: "word" }))
      this.parts.set(node.id, part)
    }
    this.parts.get(focused)?.group.focus({ preventScroll: true })
  }

  // what may change from one run to the next while everything stays where it is
  colour() {
    for (const node of this.data.nodes) {
      const part = this.parts.get(node.id)
      part.node = node
      const selected = node.id === this.selected
      set(part.group, { "data-state": node.state, "aria-label": node.label, "aria-pressed": String(selected) })
      set(part.icon, { d: ICONS[node.state] ?? ICONS.unknown })
      write(part.title, node.label)
      if (part.word.textContent !== node.word) {
        write(part.word, node.word)
        this.centre(part)
      }
    }
    for (const { edge, group } of this.lines) {
      group.classList.toggle("near", [edge.source, edge.sink].includes(this.selected))
    }
    this.explain()
  }

  explain() {
    const { kinds, states, ways } = this.data.legend
    const now = JSON.stringify(this.data.legend)
    if (now === this.explained) return
    this.explained = now
    this.legend.replaceChildren()
    const entry = (text, draw) => {
      const item = html("span", "entry", this.legend)
      draw(item.appendChild(svg("svg", { width: 22, height: 14, "aria-hidden": "true" })))
      item.appendChild(document.createTextNode(text))
    }
    for (const { kind, text } of kinds) {
      entry(text, (icon) => {
        const group = icon.appendChild(svg("g", { class: `node ${kind}` }))
        const box = { x: 1, y: 1, w: 20, h: 12 }
        group.appendChild(svg("path", { class: "shape", d: outline(kind, box, 0) }))
        group.appendChild(svg("path", { class: "bar", d: bars(kind, box, 3) }))
      })
    }
    for (const { way, text } of ways) {
      entry(text, (icon) => {
        const group = icon.appendChild(svg("g", { class: `edge ${way}` }))
        group.appendChild(svg("path", { d: "M0 7H18" }))
        group.appendChild(svg("path", { class: "head", d: arrow(22, 7, 1, 0) }))
      })
    }
    for (const { state, text } of states) {
      entry(text, (icon) => {
        const group = icon.appendChild(svg("g", { class: "node", "data-state": state, transform: "translate(6 1.5)" }))
        group.appendChild(svg("path", { class: "icon", d: ICONS[state] ?? ICONS.unknown }))
      })
    }
  }

  choose(id) {
    this.selected = id === this.selected ? null : id
    this.colour()
    this.told.push(this.selected)
    this.tell(this.selected)
  }

  press(event) {
    const part = this.parts.get(event.target.dataset?.id)
    if (!part || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === "Enter" || event.key === " ") {
      if (!event.repeat) this.choose(part.node.id)
    } else if (event.key === "Escape" && this.selected !== null) {
      this.choose(this.selected)
    } else if (event.key.startsWith("Arrow")) {
      this.next(part, event.key.slice(5))?.group.focus()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  // along the edges with the flow and against it; across it, to what stands beside
  next(part, way) {
    const [forward, back] = this.down ? ["Down", "Up"] : ["Right", "Left"]
    const middle = ({ box }) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 })
    const here = middle(part)
    const distance = (other) => Math.hypot(middle(other).x - here.x, middle(other).y - here.y)
    const nearest = (parts) => parts.sort((one, other) => distance(one) - distance(other))[0]
    if (way === forward || way === back) {
      const [from, to] = way === forward ? ["source", "sink"] : ["sink", "source"]
      const ends = (kind, near, far) =>
        this.lines.filter(({ edge }) => edge.kind === kind && edge[near] === part.node.id).map(({ edge }) => this.parts.get(edge[far]))
      const axis = this.down ? "y" : "x"
      const ahead = [...ends("needs", from, to), ...ends("needs", to, from)].filter((other) => (middle(other)[axis] - here[axis]) * (way === forward ? 1 : -1) > NODE.least / 2)
      return nearest(ends("data", from, to)) ?? nearest(ahead)
    }
    const [axis, other] = this.down ? ["x", "y"] : ["y", "x"]
    const sign = way === "Down" || way === "Right" ? 1 : -1
    const beside = [...this.parts.values()].filter((one) => (middle(one)[axis] - here[axis]) * sign > 4)
    const same = beside.filter((one) => Math.abs(middle(one)[other] - here[other]) < NODE.least / 2)
    return nearest(same) ?? nearest(beside)
  }

  // ---- where everything is drawn

  place() {
    this.scroll.hidden = !this.data.nodes.length
    const width = (this.drawnFor = this.width())
    if (!width || !this.data.nodes.length) return
    this.down = width < NARROW
    this.font = getComputedStyle(this.svg).fontFamily
    this.columns = new Map()
    const nodes = this.data.nodes.filter((node) => node.state !== "orphan")
    for (const node of nodes) {
      const column = at(this.columns, node.column, () => ({ nodes: [], lanes: [], tags: new Map() }))
      if (node.slot) at(column.tags, node.row, () => []).push(node)
      else column.nodes.push(node)
    }
    for (const { edge } of this.lines) {
      const source = this.parts.get(edge.source).node
      edge.lane.forEach((row, index) => at(this.columns, source.column + 1 + index, () => ({ nodes: [], lanes: [], tags: new Map() })).lanes.push(row))
    }
    const size = this.down ? this.placeDown(width) : this.placeRight(width)
    this.placeOrphans(size)
    set(this.svg, { width: size.w, height: size.h, viewBox: `0 0 ${size.w} ${size.h}` })
    for (const part of this.parts.values()) this.dress(part)
    for (const line of this.lines) this.draw(line)
  }

  // how large a node has to be for the longest name at this width
  fit(width) {
    const size = width < 104 ? TEXT.least : TEXT.most
    const tall = (parts, room, most) =>
      Math.max(1, ...parts.map((part) => (part.wrapped = this.wrap(part.node.name, room, most, size, part.node.slot ? 400 : 600)).length))
    const all = [...this.parts.values()]
    const nodes = all.filter(({ node }) => !node.slot)
    const tags = all.filter(({ node }) => node.slot)
    this.text = size
    this.node = { w: width, h: tall(nodes, width - 2 * NODE.padding - 2, NODE.lines) * LINE + LINE + 10 }
    this.tag = { w: width - TAG.indent, h: tall(tags, width - TAG.indent - 14, TAG.lines) * LINE + LINE + 6 }
  }

  tagged(count) {
    return count * (this.tag.h + TAG.space)
  }

  placeRight(width) {
    const [count, edge] = [this.columns.size, 7]
    const least = clamp(width / 40, 20, 40)
    const w = Math.floor(clamp((width - 2 * edge - (count - 1) * least) / count, NODE.least, NODE.most))
    const between = clamp((width - 2 * edge - count * w) / (count - 1 || 1), 20, 90)
    this.fit(w)
    // cells of one row that an edge runs through in a straight line stand at one height, and each below what is above it
    const cells = new Map()
    for (const [index, column] of this.columns) {
      column.filled = 8
      for (const row of column.lanes) cells.set(`${index} ${row}`, { column, row, h: 0 })
      for (const { row } of column.nodes) {
        const h = this.node.h + this.tagged(column.tags.get(row)?.length ?? 0)
        cells.set(`${index} ${row}`, { column, row, h })
      }
    }
    for (const cell of cells.values()) cell.level = [cell]
    for (const { edge } of this.lines) {
      let [source, sink] = [edge.source, edge.sink].map((id) => this.parts.get(id).node)
      if (edge.kind === "needs") [source, sink] = [sink, source]
      if (edge.kind === "needs" && sink.column !== source.column + 1) continue
      const path = [source.row, ...edge.lane, sink.row].map((row, index) => cells.get(`${source.column + index} ${row}`))
      for (const [index, cell] of path.slice(1).entries()) {
        const other = path[index]
        if (!cell || cell.row !== other.row || cell.level === other.level) continue
        other.level.push(...cell.level)
        for (const one of cell.level) one.level = other.level
      }
    }
    const half = this.node.h / 2
    for (const { level } of [...cells.values()].sort((one, other) => one.row - other.row)) {
      if (level[0].top !== undefined) continue
      // of a lane only the line takes room
      const top = Math.max(...level.map(({ column, h }) => column.filled - (h ? 0 : half - 4)))
      for (const cell of level) {
        cell.top = top
        cell.column.filled = top + (cell.h ? cell.h + 18 : half + 14)
      }
    }
    const y = Math.max(...[...this.columns.values()].map((column) => column.filled))
    for (const [index, column] of this.columns) {
      const x = edge + index * (w + between)
      column.from = column.begin = x
      column.to = x + w
      for (const node of column.nodes) {
        const { top } = cells.get(`${index} ${node.row}`)
        this.parts.get(node.id).box = { x, y: top, w, h: this.node.h }
        for (const tag of column.tags.get(node.row) ?? []) {
          const place = top + this.node.h + TAG.space + this.tagged(tag.slot - 1)
          this.parts.get(tag.id).box = { x: x + TAG.indent, y: place, w: this.tag.w, h: this.tag.h }
        }
      }
    }
    this.lane = (index, row) => cells.get(`${index} ${row}`).top + half
    this.bus = y - 4
    const bus = this.lines.some(({ edge }) => this.overBus(edge))
    return { w: Math.max(Math.floor(width), 2 * edge + count * w + (count - 1) * between), h: y + (bus ? 4 : -10) }
  }

  placeDown(width) {
    const [edge, between, thin] = [12, 10, 10]
    const most = Math.max(1, ...[...this.columns.values()].map((column) => column.nodes.length))
    const lanes = Math.max(0, ...[...this.columns.values()].map((column) => column.lanes.length))
    const room = width - 2 * edge - (most - 1) * between - (lanes ? lanes * thin + between : 0)
    this.fit(Math.floor(clamp(room / most, NODE.least + 8, 148)))
    const w = this.node.w
    const wide = (item) => (item.id === undefined ? thin : w)
    const items = [...this.columns.entries()].sort(([one], [other]) => one - other).map(([index, column]) => {
      const all = [...column.nodes, ...column.lanes.map((row) => ({ row }))].sort((one, other) => one.row - other.row)
      const total = all.reduce((sum, item) => sum + wide(item), 0) + (all.length - 1) * between
      return { index, column, all, total }
    })
    const whole = Math.max(width - 2 * edge, ...items.map(({ total }) => total))
    const tracks = new Map() // of a row: the middle of its last node or lane, under which the next one should stand
    let y = 8
    for (const { column, all, total } of items) {
      const tags = Math.max(0, ...[...column.tags.values()].map((list) => list.length))
      const top = y + this.tagged(tags)
      let [x, shift, known] = [0, 0, 0]
      for (const item of all) {
        item.middle = x + wide(item) / 2
        x += wide(item) + between
        if (tracks.has(item.row)) [shift, known] = [shift + tracks.get(item.row) - item.middle, known + 1]
      }
      const start = clamp(known ? shift / known : (whole - total) / 2, 0, whole - total)
      column.places = new Map()
      column.begin = y
      column.from = top
      column.to = top + this.node.h
      for (const item of all) {
        const middle = start + item.middle
        tracks.set(item.row, middle)
        column.places.set(item.row, edge + middle)
        if (item.id === undefined) continue
        const left = edge + middle - w / 2
        this.parts.get(item.id).box = { x: left, y: top, w, h: this.node.h }
        for (const tag of column.tags.get(item.row) ?? []) {
          const place = top - this.tagged(tag.slot)
          this.parts.get(tag.id).box = { x: left + TAG.indent + 9, y: place, w: this.tag.w - 9, h: this.tag.h }
        }
      }
      y = column.to + 30
    }
    this.lane = (column, row) => this.columns.get(column).places.get(row)
    this.bus = whole + 2 * edge - 5
    return { w: whole + 2 * edge, h: y - 22 }
  }

  placeOrphans(size) {
    const orphans = this.data.nodes.filter((node) => node.state === "orphan")
    write(this.note, orphans.length ? this.data.orphans : "")
    if (!orphans.length) return
    const [edge, between] = [this.down ? 12 : 7, 16]
    if (!this.columns.size) this.fit(140)
    const perRow = Math.max(1, Math.floor((size.w - 2 * edge + between) / (this.node.w + between)))
    const top = size.h + 34
    set(this.note, { x: edge, y: top - 10 })
    orphans.forEach((node, index) => {
      const x = edge + (index % perRow) * (this.node.w + between)
      const y = top + Math.floor(index / perRow) * (this.node.h + between)
      this.parts.get(node.id).box = { x, y, w: this.node.w, h: this.node.h }
    })
    size.h = top + Math.ceil(orphans.length / perRow) * (this.node.h + between)
  }

  dress(part) {
    const { node, box, wrapped } = part
    const { kind } = node
    set(part.shape, { d: outline(kind, box, 0) })
    set(part.ring, { d: outline(kind, box, 3) })
    set(part.focus, { d: outline(kind, box, 5.5) })
    set(part.bar, { d: bars(kind, box, 5) })
    const inner = wrapped.length * LINE + LINE
    const top = box.y + (box.h - inner) / 2
    part.middle = box.x + box.w / 2 + (kind === "tableflow" ? 2 : 0)
    part.name.replaceChildren(...wrapped.map((line, index) => {
      const span = svg("tspan", { x: part.middle, y: top + LINE * (index + 0.78) })
      span.textContent = line
      return span
    }))
    set(part.name, { "font-size": this.text })
    part.base = top + LINE * (wrapped.length + 0.8)
    this.centre(part)
  }

  // the icon and the word for the state, together in the middle
  centre(part) {
    if (part.base === undefined) return
    const left = part.middle - (this.long(part.node.word, TEXT.least) + 14) / 2
    set(part.icon, { transform: `translate(${left} ${part.base - 8.5})` })
    set(part.word, { x: left + 14, y: part.base, "font-size": TEXT.least })
  }

  overBus(edge) {
    const [source, sink] = [edge.source, edge.sink].map((id) => this.parts.get(id).node)
    return edge.kind === "needs" && source.column - sink.column > 1
  }

  draw(line) {
    const { edge } = line
    const [source, sink] = [edge.source, edge.sink].map((id) => this.parts.get(id))
    const turn = this.down
    // along the flow and across it: the same path from left to right and from top to bottom
    const span = ({ box }) =>
      turn
        ? { from: box.y, to: box.y + box.h, mid: box.x + box.w / 2, low: box.x, high: box.x + box.w }
        : { from: box.x, to: box.x + box.w, mid: box.y + box.h / 2, low: box.y, high: box.y + box.h }
    const dot = (along, across) => (turn ? `${across} ${along}` : `${along} ${across}`)
    const head = (along, across, da, dc) => arrow(...(turn ? [across, along, dc, da] : [along, across, da, dc]))
    const bend = (a, c, b, d) => `C${dot((a + b) / 2, c)} ${dot((a + b) / 2, d)} ${dot(b, d)}`
    const [one, other] = [span(source), span(sink)]
    let path, tip
    if (edge.kind === "data" && source.node.column < sink.node.column) {
      const entry = turn && this.columns.get(sink.node.column).tags.has(sink.node.row) ? other.low + 9 : other.mid
      let [along, across] = [one.to, one.mid]
      path = `M${dot(along, across)}`
      edge.lane.forEach((row, index) => {
        const column = this.columns.get(source.node.column + 1 + index)
        const place = this.lane(source.node.column + 1 + index, row)
        path += bend(along, across, column.begin, place) + `L${dot(column.to, place)}`
        ;[along, across] = [column.to, place]
      })
      const begin = Math.min(this.columns.get(sink.node.column).begin, other.from - 5)
      path += bend(along, across, begin, entry) + `L${dot(other.from - 5, entry)}`
      tip = head(other.from, entry, 1, 0)
    } else if (this.overBus(edge)) {
      line.group.classList.add("far")
      const gap = this.columns.get(sink.node.column).to + 8
      path = `M${dot((one.from + one.to) / 2, one.high)}L${dot((one.from + one.to) / 2, this.bus)}L${dot(gap, this.bus)}`
      path += `L${dot(gap, other.mid)}L${dot(other.to + 6, other.mid)}`
      tip = head(other.to, other.mid, -1, 0)
    } else if (source.node.column > sink.node.column || edge.kind === "data") {
      path = `M${dot(one.from, one.mid)}` + bend(one.from, one.mid, other.to + 5, other.mid)
      tip = head(other.to, other.mid, -1, 0)
    } else {
      ;[path, tip] = this.hang(source, sink)
    }
    set(line.path, { d: path })
    set(line.head, { d: tip })
  }

  // from what hangs under a node (above it, where the flow runs down) to that node, to another tag, or to another node
  hang(source, sink) {
    const [a, b] = [source.box, sink.box]
    const up = this.down ? 1 : -1
    if (source.node.row === sink.node.row && !sink.node.slot) {
      const [x, y] = [a.x - 5, up < 0 ? b.y + b.h : b.y]
      // drawn from the node on, so that the dashes of several fall on each other
      return [`M${x} ${y - up * 5}V${a.y + a.h / 2}H${a.x}`, arrow(x, y, 0, up)]
    }
    if (source.node.row === sink.node.row && sink.node.slot === source.node.slot + 1) {
      const [from, to] = up < 0 ? [a.y + a.h, b.y] : [a.y, b.y + b.h]
      return [`M${a.x + a.w / 2} ${from}V${to + up * 3}`, arrow(a.x + a.w / 2, to, 0, -up)]
    }
    if (!this.down && sink.node.row === source.node.row + 1 && a.y < b.y) {
      const x = b.x + 7
      return [`M${a.x} ${a.y + a.h - 8}H${x}V${b.y - 2}`, arrow(x, b.y + 4, 0, 1)]
    }
    if (this.down && sink.node.column === source.node.column && b.x > a.x) {
      const x = b.x + b.w / 2
      return [`M${a.x + a.w} ${a.y + a.h / 2}H${x}V${b.y - 5}`, arrow(x, b.y, 0, 1)]
    }
    const left = Math.min(a.x, b.x) - 7
    const [from, to] = [a.y + a.h - 8, b.y + b.h / 2]
    return [`M${a.x} ${from}C${left} ${from} ${left} ${to} ${b.x - 5} ${to}`, arrow(b.x, to, 1, 0)]
  }

  // ---- text

  long(text, size, weight = 400) {
    this.measure.font = `${weight} ${size}px ${this.font}`
    return this.measure.measureText(text).width
  }

  // at most so many lines, broken after a separator; what is longer loses its middle
  wrap(name, room, most, size, weight) {
    const fits = (text) => {
      const lines = [""]
      for (const piece of text.split(/(?<=[-_.…/])/)) {
        const last = lines[lines.length - 1]
        if (this.long(last + piece, size, weight) <= room) lines[lines.length - 1] = last + piece
        else if (this.long(piece, size, weight) > room || lines.push(piece) > most) return null
      }
      return lines[0] ? lines : null
    }
    const letters = [...name]
    let lines = fits(name)
    for (let keep = Math.min(letters.length - 1, 80); !lines && keep > 1; keep--) {
      lines = fits(letters.slice(0, Math.ceil(keep / 2)).join("") + "…" + letters.slice(-Math.floor(keep / 2)).join(""))
    }
    return lines ?? ["…"]
  }
}

function outline(kind, { x, y, w, h }, grow) {
  ;[x, y, w, h] = [x - grow, y - grow, w + 2 * grow, h + 2 * grow]
  if (kind === "contract" || kind === "key") {
    const cut = Math.min(7, h / 3)
    const end = kind === "key" ? `H${x + w - cut}L${x + w} ${y + cut}V${y + h - cut}L${x + w - cut} ${y + h}` : `H${x + w}V${y + h}`
    return `M${x + cut} ${y}${end}H${x + cut}L${x} ${y + h - cut}V${y + cut}Z`
  }
  const round = { topic: Math.min(h / 2, 20 + grow), statement: Math.min(h / 4, 7) + grow }[kind] ?? 1 + grow
  const corner = (dx, dy) => `a${round} ${round} 0 0 1 ${dx * round} ${dy * round}`
  return `M${x + round} ${y}H${x + w - round}${corner(1, 1)}V${y + h - round}${corner(-1, 1)}H${x + round}${corner(-1, -1)}V${y + round}${corner(1, -1)}Z`
}

function bars(kind, { x, y, w, h }, thick) {
  const bar = (left) => `M${left} ${y}h${thick}v${h}h${-thick}Z`
  if (kind === "tableflow") return bar(x)
  if (kind === "catalog") return bar(x) + bar(x + w - thick)
  return ""
}

function arrow(x, y, dx, dy) {
  return `M${x} ${y}L${x - 7 * dx - 3.5 * dy} ${y - 7 * dy - 3.5 * dx}L${x - 7 * dx + 3.5 * dy} ${y - 7 * dy + 3.5 * dx}Z`
}

function at(map, key, make) {
  if (!map.has(key)) map.set(key, make())
  return map.get(key)
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(value, most))
}

function svg(name, attributes = {}) {
  const element = document.createElementNS(SVG, name)
  set(element, attributes)
  return element
}

function html(name, className, parent) {
  const element = parent.appendChild(document.createElement(name))
  element.className = className
  return element
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value)
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}
