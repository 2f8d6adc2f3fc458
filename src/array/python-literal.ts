/** A Python literal: what `repr()` makes of dicts, tuples, lists, text, numbers, `True`, `False` and `None`. */
export type Literal = string | number | boolean | null | Literal[] | Map<Literal, Literal>;

/** Deeper than any description of a type. */
const DEPTH_MAX = 32;
const WORDS: Record<string, boolean | null> = { True: true, False: false, None: null };
const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };

/**
 * Reads a literal, and only that: nothing is ever evaluated.
 * @throws an `Error` that says where it is none.
 */
export function parseLiteral(text: string): Literal {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Literal {
    if (depth > DEPTH_MAX) throw this.#wrong();
    if (this.#take(/\{/y)) return this.#dict(depth);
    if (this.#take(/\[/y)) return this.#sequence(/\]/y, depth)[0];
    if (this.#take(/\(/y)) {
      const [items, comma] = this.#sequence(/\)/y, depth);
      return items.length === 1 && !comma ? items[0]! : items; // (3) is no tuple
    }
    const quoted = this.#take(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/y);
    if (quoted) return this.#unescape(quoted[1] ?? quoted[2]!);
    const number = this.#take(/(-?\d+)L?(?![\w.])/y); // Python 2 had 3L
    if (number) return Number(number[1]);
    const word = this.#take(/(True|False|None)\b/y);
    if (word) return WORDS[word[1]!]!;
    throw this.#wrong();
  }

  end(): void {
    this.#expect(/$/y);
  }

  #dict(depth: number): Map<Literal, Literal> {
    const entries = new Map<Literal, Literal>();
    while (!this.#take(/\}/y)) {
      const key = this.value(depth + 1);
      this.#expect(/:/y);
      entries.set(key, this.value(depth + 1));
      if (this.#take(/,/y)) continue;
      this.#expect(/\}/y);
      break;
    }
    return entries;
  }

  #sequence(end: RegExp, depth: number): [items: Literal[], comma: boolean] {
    const items: Literal[] = [];
    let comma = false;
    while (!this.#take(end)) {
      items.push(this.value(depth + 1));
      comma = this.#take(/,/y) !== undefined;
      if (comma) continue;
      this.#expect(end);
      break;
    }
    return [items, comma];
  }

  /** What matches here, after blanks. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    const blanks = /\s*/y;
    blanks.lastIndex = this.#at;
    pattern.lastIndex = this.#at + (blanks.exec(this.#text)?.[0].length ?? 0);
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  #expect(pattern: RegExp): void {
    if (!this.#take(pattern)) throw this.#wrong();
  }

  #unescape(body: string): string {
    return body.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|(.))/gi, (_, x, u, long, char) => {
      const code = Number.parseInt(x ?? u ?? long ?? '', 16);
      if (Number.isNaN(code)) return ESCAPES[char as string] ?? `\\${char}`;
      if (code > 0x10ffff) throw this.#wrong();
      return String.fromCodePoint(code);
    });
  }

  #wrong(): Error {
    return new Error(`no Python literal at character ${this.#at}`);
  }
}
