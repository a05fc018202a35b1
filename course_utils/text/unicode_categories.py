"""Unicode's categories of characters, as BERT's tokenizers know them.

Unicode gives every character a general category of two letters: `Lu` is a capital letter, `Mn` a mark that is written
over or under a letter, `P...` punctuation, `C...` a control character or none at all. New characters come in each year.
The `tokenizers` library decides by tables from before Unicode 9 (June 2016), Python by those of its own release. So
there are characters about which the two don't agree, and this module names them all. tests/test_wordpiece.py compares
every code point there is with the library.
"""

import functools
import unicodedata

# Control characters, marks and punctuation that came into Unicode after the library's tables were made, up to
# Unicode 15.1 (Python 3.13). To the library they are unassigned.
_NEWER = """
61D 7FD 890-891 898-89F 8CA-8E2 9FD-9FE A76 AFA-AFF B55 C04 C3C C77 C84 D00 D3B-D3C D81 EBA ECE 180F 1885-1886
1ABF-1ACE 1B7D-1B7E 1DF6-1DFB 2E43-2E4F 2E52-2E5D A82C A8C5 A8FF A9BD 10D24-10D27 10EAB-10EAD 10EFD-10EFF 10F46-10F50
10F55-10F59 10F82-10F89 11070 11073-11074 110C2 110CD 111CF 1123E 11241 1133B 11438-1143F 11442-11444 11446
1144B-1144F 1145A-1145B 1145D-1145E 11660-1166C 116B9 1182F-11837 11839-1183B 1193B-1193C 1193E 11943-11946
119D4-119D7 119DA-119DB 119E0 119E2 11A01-11A0A 11A33-11A38 11A3B-11A47 11A51-11A56 11A59-11A5B 11A8A-11A96
11A98-11A9C 11A9E-11AA2 11B00-11B09 11C30-11C36 11C38-11C3D 11C3F 11C41-11C45 11C70-11C71 11C92-11CA7 11CAA-11CB0
11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11EF3-11EF4
11EF7-11EF8 11F00-11F01 11F36-11F3A 11F40 11F42-11F4F 11FFF 12FF1-12FF2 13430-13440 13447-13455 16E97-16E9A 16F4F
16FE2 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E08F 1E130-1E136
1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E944-1E94A 1E95E-1E95F
"""

# Three characters that Unicode has moved to another category since then.
_MOVED = {0x166D: "Po", 0x1734: "Mn", 0x111C9: "Po"}


@functools.cache
def changed() -> dict[int, str]:
    """Return the code points about which Python and the library differ, with the category that the library sees."""
    table = dict(_MOVED)
    for entry in _NEWER.split():
        first, _, last = entry.partition("-")
        table.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), "Cn"))
    return table


@functools.cache
def category(char: str) -> str:
    """Return the general category of one character, such as `Lu` or `Mn`, as the `tokenizers` library sees it.

    What matters to a BERT tokenizer is the same in both: whether a character is a control character (`Cc`, `Cf`,
    `Co`), a mark (`Mn`) or punctuation (`P...`). A letter or symbol that only Python knows keeps Python's category.

    Raises:
        TypeError: `char` is not a string of one character.
    """
    if not isinstance(char, str) or len(char) != 1:
        raise TypeError(f"a category belongs to one character, not to {char!r:.40}")
    return changed().get(ord(char)) or unicodedata.category(char)
