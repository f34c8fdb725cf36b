/** Elements of the page. */

type Child = Node | string;

/** The element with this id. */
export function at<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found as T;
}

/** A new element with these attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A time in s as "7 s", "1:07" or "2:01:07", in a recording of `whole` s. */
export function clock(second: number, whole: number): string {
  const rounded = Math.round(second * 100) / 100;
  if (whole <= 60) return `${rounded} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  const full = Math.floor(rounded);
  const rest = Math.round((rounded - full) * 100);
  const seconds = two(full % 60) + (rest && whole < 3600 ? `.${two(rest)}` : "");
  const minutes = Math.floor(full / 60);
  if (whole < 3600) return `${minutes}:${seconds}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${seconds}`;
}
