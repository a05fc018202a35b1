// DistilBERT's tokenizer: what the model's own one does to a text, in a hundred lines. It follows J. Devlin and others
// (2019), "BERT", and answers as `DistilBertTokenizer` does, id for id: tests/test_demo.py holds the two together.
//
// The npm package @huggingface/tokenizers 0.2.0 does not: it writes a capital sigma at the end of a word in its other
// form, leaves ideographs beyond U+FFFF in the word around them, and drops, as accents, the marks that NEWER names.

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const LONGEST_WORD = 100; // characters; a longer word is unknown

const WHITESPACE = /^\p{White_Space}$/u;
// What the library takes for a control character, a punctuation mark, an accent. Its tables are of an older Unicode
// than a browser's: it doesn't know what was added since (NEWER), and four characters are still what they were then.
const CONTROL = /^[\p{Cc}\p{Cf}\p{Co}\ufffd]$/u;
const PUNCTUATION = /^[!-/:-@[-`{-~\p{P}\u166d\u{111c9}]$/u;
const ACCENT = /^(?!\u{111c9})[\p{Mn}\u1734\u{1171e}]$/u;
const NEWER = new RegExp(
  String.raw`^[\u061d\u07fd\u0890-\u089f\u08ca-\u08e2\u09fd-\u09fe\u0a76\u0afa-\u0aff\u0b55\u0c04\u0c3c\u0c77\u0c84` +
    String.raw`\u0d00\u0d3b-\u0d3c\u0d81\u0eba\u0ece\u180f\u1885-\u1886\u1abf-\u1aeb\u1b4e-\u1b4f\u1b7d-\u1b7f` +
    String.raw`\u1df6-\u1dfb\u2e43-\u2e5d\ua82c\ua8c5\ua8ff\ua9bd\u{10d24}-\u{10d27}\u{10d69}-\u{10d6e}` +
    String.raw`\u{10eab}-\u{10ed0}\u{10efa}-\u{10eff}\u{10f46}-\u{10f59}\u{10f82}-\u{10f89}\u{11070}-\u{11074}` +
    String.raw`\u{110c2}-\u{110cd}\u{111cf}\u{1123e}-\u{11241}\u{1133b}\u{113bb}-\u{113e2}` +
    String.raw`\u{11438}-\u{1145e}\u{11660}-\u{1166c}\u{116b9}\u{1182f}-\u{1183b}\u{1193b}-\u{11946}` +
    String.raw`\u{119d4}-\u{11a0a}\u{11a33}-\u{11a5b}\u{11a8a}-\u{11aa2}\u{11b00}-\u{11b09}\u{11b60}-\u{11b66}` +
    String.raw`\u{11be1}\u{11c30}-\u{11c45}\u{11c70}-\u{11cb6}\u{11d31}-\u{11d47}\u{11d90}-\u{11d97}` +
    String.raw`\u{11ef3}-\u{11f01}\u{11f36}-\u{11f5a}\u{11fff}\u{12ff1}-\u{12ff2}\u{13430}-\u{13455}` +
    String.raw`\u{1611e}-\u{1612f}\u{16d6d}-\u{16d6f}\u{16e97}-\u{16e9a}\u{16f4f}\u{16fe2}-\u{16fe4}` +
    String.raw`\u{1cf00}-\u{1cf46}\u{1e000}-\u{1e02a}\u{1e08f}\u{1e130}-\u{1e136}\u{1e2ae}\u{1e2ec}-\u{1e2ef}` +
    String.raw`\u{1e4ec}-\u{1e4ef}\u{1e5ee}-\u{1e5ff}\u{1e6e3}-\u{1e6f5}\u{1e944}-\u{1e95f}]$`,
  "u",
);

const IDEOGRAPHS = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
];

const is = (kind, character) => kind.test(character) && !NEWER.test(character);

function isIdeograph(character) {
  const point = character.codePointAt(0);
  return point >= 0x3400 && IDEOGRAPHS.some(([first, last]) => first <= point && point <= last);
}

/** Return a text without control characters, in lower case, without accents; an ideograph is a word of its own. */
function normalize(text) {
  let clean = "";
  for (const character of text) {
    if (/[\t\n\r]/.test(character)) clean += " ";
    else if (!is(CONTROL, character)) clean += isIdeograph(character) ? ` ${character} ` : character;
  }
  let plain = "";
  for (const character of clean.normalize("NFD")) {
    // One character at a time: in a word, JavaScript would write a sigma at the end in its other form.
    if (!is(ACCENT, character)) plain += character.toLowerCase();
  }
  return plain;
}

/** Return the words of a normalized text; a punctuation mark is a word of its own. */
function splitWords(text) {
  const words = [];
  let word = "";
  const finish = () => {
    if (word) words.push(word);
    word = "";
  };
  for (const character of text) {
    if (WHITESPACE.test(character)) finish();
    else if (is(PUNCTUATION, character)) {
      finish();
      words.push(character);
    } else word += character;
  }
  finish();
  return words;
}

export class WordPiece {
  /** @param {string} vocabulary - the text of vocab.txt: a piece a line, whose id is the line's number from 0. */
  constructor(vocabulary) {
    this.pieces = vocabulary.replace(/\r?\n$/, "").split(/\r?\n/);
    this.ids = new Map(this.pieces.map((piece, id) => [piece, id]));
    for (const piece of SPECIAL) if (!this.ids.has(piece)) throw new Error(`vocab.txt has no ${piece}`);
  }

  /** Return the pieces of one word: always the longest one that the vocabulary has, or [UNK] for the whole word. */
  splitWord(word) {
    const characters = [...word];
    if (characters.length > LONGEST_WORD) return ["[UNK]"];
    const pieces = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      const prefix = start ? "##" : "";
      while (end > start && !this.ids.has(prefix + characters.slice(start, end).join(""))) end -= 1;
      if (end === start) return ["[UNK]"];
      pieces.push(prefix + characters.slice(start, end).join(""));
      start = end;
    }
    return pieces;
  }

  /**
   * Return a text's tokens, in [CLS] and [SEP], cut after `longest` of them.
   * @returns {{pieces: string[], ids: number[], total: number}} `total` counts the tokens before the cut.
   */
  encode(text, longest) {
    const pieces = [];
    // The name of a special token, typed into a text, is that token: so does the library's tokenizer.
    for (const part of text.split(/(\[(?:PAD|UNK|CLS|SEP|MASK)\])/)) {
      if (SPECIAL.includes(part)) pieces.push(part);
      else for (const word of splitWords(normalize(part))) for (const piece of this.splitWord(word)) pieces.push(piece);
    }
    const kept = ["[CLS]", ...pieces.slice(0, longest - 2), "[SEP]"];
    return { pieces: kept, ids: kept.map((piece) => this.ids.get(piece)), total: pieces.length + 2 };
  }
}
