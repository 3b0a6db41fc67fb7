// Shows the rows that live_list.py sends, the first on top. Texts come from strangers: they are only ever set as text.
// A row that was there before stays the same element, so that focus, scroll and what is marked stay too.

const views = new WeakMap()

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement.querySelector(".live")))
  const view = views.get(parentElement)
  view.tell = (id) => setTriggerValue("chosen", id)
  view.show(data)
  return () => views.delete(parentElement)
}

class View {
  constructor(box) {
    box.replaceChildren() // what an earlier view has left
    this.told = html("p", "told", box)
    this.scroll = html("div", "scroll", box)
    this.table = html("table", "rows", this.scroll)
    this.head = html("tr", "", html("thead", "", this.table))
    this.body = html("tbody", "", this.table)
    this.rows = new Map() // by id
    this.columns = ""
    this.first = true
    this.body.addEventListener("click", (event) => this.choose(event.target.closest?.("tr")))
    this.body.addEventListener("keydown", (event) => this.press(event))
  }

  show({ told, label, columns, rows, selected }) {
    write(this.told, told)
    this.table.setAttribute("aria-label", label)
    if (this.columns !== JSON.stringify(columns)) this.begin(columns)
    // whoever has scrolled down reads on at the same place while rows come in above
    const anchor = this.scroll.scrollTop > 4 ? this.top() : null
    const before = anchor?.offsetTop
    const had = this.body.contains(document.activeElement) || this.body.getRootNode().activeElement?.closest?.("tbody")
    const kept = new Set(rows.map(([id]) => id))
    for (const [id, row] of this.rows) {
      if (kept.has(id)) continue
      row.remove()
      this.rows.delete(id)
    }
    let place = this.body.firstElementChild
    for (const [id, ...cells] of rows) {
      let row = this.rows.get(id)
      if (!row) {
        row = this.made(id, columns)
        if (!this.first) row.classList.add("new")
      }
      const fault = cells.pop()
      row.classList.toggle("fault", fault)
      cells.forEach((text, at) => write(row.children[at], text))
      row.setAttribute("aria-selected", String(id === selected))
      if (row === place) place = place.nextElementSibling
      else this.body.insertBefore(row, place)
    }
    this.first = false
    if (anchor?.isConnected) this.scroll.scrollTop += anchor.offsetTop - before
    const reached = this.body.querySelector('tr[tabindex="0"]')
    if (!reached && this.body.firstElementChild) {
      this.body.firstElementChild.tabIndex = 0
      // the row in focus has left the list
      if (had) this.body.firstElementChild.focus()
    }
  }

  begin(columns) {
    this.columns = JSON.stringify(columns)
    this.head.replaceChildren()
    this.body.replaceChildren()
    this.rows.clear()
    this.first = true
    for (const [title, kind, narrow] of columns) {
      const cell = html("th", `${kind}${narrow ? "" : " wide"}`, this.head)
      cell.scope = "col"
      cell.textContent = title
    }
  }

  made(id, columns) {
    const row = document.createElement("tr")
    row.dataset.id = id
    row.tabIndex = -1
    for (const [, kind, narrow] of columns) html("td", `${kind}${narrow ? "" : " wide"}`, row)
    this.rows.set(id, row)
    return row
  }

  // the first row that is in sight
  top() {
    for (const row of this.body.children) {
      if (row.offsetTop + row.offsetHeight > this.scroll.scrollTop + this.head.offsetHeight) return row
    }
    return null
  }

  choose(row) {
    if (!row) return
    this.reach(row)
    this.tell(row.dataset.id)
  }

  reach(row) {
    for (const one of this.body.querySelectorAll('tr[tabindex="0"]')) one.tabIndex = -1
    row.tabIndex = 0
    row.focus({ preventScroll: false })
  }

  press(event) {
    const row = event.target.closest?.("tr")
    if (!row) return
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.body.firstElementChild,
      End: this.body.lastElementChild,
    }
    if (event.key === "Enter" || event.key === " ") this.choose(row)
    else if (event.key in next) next[event.key] && this.reach(next[event.key])
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}

function html(name, className, parent) {
  const element = parent.appendChild(document.createElement(name))
  if (className) element.className = className
  return element
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}
