/** Text on one line without control characters, unique names, numbers as Python writes them. */

const ESCAPES: Record<string, string> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** `text` with the characters escaped that cannot be printed, but joiners of letters. */
export function visible(text: string): string {
  return text.replace(/[\p{C}\p{Z}]/gu, (c) => {
    if (c === " " || c === "\u200c" || c === "\u200d") return c;
    const hex = c.codePointAt(0)!.toString(16);
    if (hex.length < 3) return ESCAPES[c] ?? `\\x${hex.padStart(2, "0")}`;
    return hex.length < 5 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}

/** `text` on one stripped line, control characters escaped. */
export function oneLine(text: string): string {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  return visible(
    lines
      .map((line) => line.trim())
      .join(" ")
      .replace(/[\s\x1f]/g, " ")
      .trim(),
  );
}

/** Names written out in a list of many. */
const MOST = 12;

/** Names with commas between; of many, the first ones and the number of the others. */
export function enumerated(names: readonly string[]): string {
  const more = names.length > MOST ? ` and ${names.length - MOST} more` : "";
  return names.slice(0, MOST).join(", ") + more;
}

/** Unique names of leads: empty ones get a number, repeated ones a suffix. */
export function unique(names: readonly string[]): string[] {
  const taken = new Set<string>();
  const last = new Map<string, number>();
  return names.map((name, i) => {
    const base = name || `lead ${i + 1}`;
    let own = base;
    while (taken.has(own)) {
      last.set(base, (last.get(base) ?? 1) + 1);
      own = `${base} ${last.get(base)}`;
    }
    taken.add(own);
    return own;
  });
}

/** A number with so many significant digits, as C's `%g` writes it. */
export function general(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= digits) {
    const sign = power < 0 ? "-" : "+";
    return `${trimmed(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return trimmed(value.toFixed(digits - 1 - power));
}

/** A decimal number without zeros at its end. */
export function trimmed(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 1 << 13)
    text += String.fromCharCode(...bytes.subarray(i, i + (1 << 13)));
  return text;
}

/** Text in UTF-8, or else in Latin-1. */
export function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return latin1(bytes);
  }
}
