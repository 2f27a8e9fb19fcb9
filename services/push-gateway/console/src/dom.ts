// The little that this page needs to build and change elements. Text only ever becomes text: nothing here parses HTML.

type Child = Node | string;

/** Makes an element with attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Makes an SVG element with attributes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** The element of index.html with this id, which must be of this class. */
export function byId<T extends Element>(id: string, type: abstract new (...args: never[]) => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return element;
}

/** Sets text where it differs, so that an unchanged value costs no layout. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** A `<time>` element's moment and text. */
export function setTime(element: HTMLTimeElement, iso: string, text: string): void {
  if (element.dateTime !== iso) {
    element.dateTime = iso;
    element.title = iso;
  }
  setText(element, text);
}

/** Returns a function that runs `draw` in the next frame, once, however often it is called before that. */
export function oncePerFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Makes children of `parent` be exactly `children`, in order, moving no element that is in place. */
export function setChildren(parent: Element, children: readonly Element[]): void {
  children.forEach((child, index) => {
    const present = parent.children[index];
    if (present !== child) parent.insertBefore(child, present ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild?.remove();
}
