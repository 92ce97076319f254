"""Greek: genitives of ordinal numbers, first parts of compounds, and letters that are numerals.

Source: Τριανταφυλλίδης, Νεοελληνική γραμματική, § 624 ff. (numerals, their compounds).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.text.spoken import icu

_UNITS = (
    "", "μονο", "δι", "τρι", "τετρα", "πεντα", "εξα", "επτα", "οκτα", "εννια", "δεκα", "εντεκα", "δωδεκα", "δεκατρια",
    "δεκατετρα", "δεκαπεντα", "δεκαεξα", "δεκαεπτα", "δεκαοκτα", "δεκαεννια", "εικοσα",
)  # fmt: skip
_TENS = ("", "", "εικοσι", "τριαντα", "σαραντα", "πενηντα", "εξηντα", "εβδομηντα", "ογδοντα", "ενενηντα")
_AFTER_TENS = ("", "ενα", "δυα", "τρια", *_UNITS[4:10])
_ACCENTED = str.maketrans("αιο", "άίό")
_GENITIVES = ((r"ός\b", "ού"), (r"ος\b", "ου"), (r"ή\b", "ής"), (r"η\b", "ης"))


def spell(number: int, rule_set: str) -> str | None:
    """What CLDR lacks: genitives of ordinals, and first parts of compounds, whose last vowel may have the accent."""
    if rule_set.endswith("-genitive"):
        words = icu.spell(number, "el", rule_set.removesuffix("-genitive"))
        for nominative, genitive in _GENITIVES:
            words = re.sub(nominative, genitive, words)
        return words
    if not rule_set.startswith("compound"):
        return None
    tens, unit = divmod(number, 10)
    if number < len(_UNITS):
        first = _UNITS[number]
    elif number < 100:
        first = _TENS[tens] + _AFTER_TENS[unit]
    else:
        return "εκατοντά" if number == 100 else icu.spell(number, "el", "numbering")
    return first[:-1] + first[-1].translate(_ACCENTED) if rule_set.endswith("accented") else first


COMPOUNDS = (
    (r"-?(?=(?:ετ(?:ής|ούς|ή|είς|ία|ίας|ίες)|ήμερ[α-ω]+|μελ(?:ής|ούς|ή|είς)|πλάσι[α-ω]+)(?!\w))", "compound"),
    (r"-?(?=(?:χρον|μην|ωρ|λεπτ|μερ|σελιδ|τομ|ροφ|γωνι|μετρ|θεσι|ποντ)[α-ω]{1,4}(?!\w))", "compound-accented"),
)
ORDINALS = (
    (r"ός", "ordinal-masculine"), (r"ος", "ordinal-masculine"), (r"η", "ordinal-feminine"), (r"ο", "ordinal-neuter"),
    (r"(?:ου|ού)", "ordinal-masculine-genitive"), (r"(?:ης|ής)", "ordinal-feminine-genitive"),
)  # fmt: skip

_STEMS = (
    ("Α", "πρώτ"), ("Β", "δεύτερ"), ("Γ", "τρίτ"), ("Δ", "τέταρτ"), ("Ε", "πέμπτ"), ("ΣΤ", "έκτ"), ("Ζ", "έβδομ"),
    ("Η", "όγδο"), ("Θ", "ένατ"), ("Ι", "δέκατ"), ("ΙΑ", "ενδέκατ"), ("ΙΒ", "δωδέκατ"), ("ΙΓ", "δέκατ{} τρίτ"),
    ("ΙΔ", "δέκατ{} τέταρτ"), ("ΙΕ", "δέκατ{} πέμπτ"), ("ΙΣΤ", "δέκατ{} έκτ"),
)  # fmt: skip
_BEFORE = (
    ("ος", "Παγκόσμιος|Βαλκανικός|όμιλος|γύρος|βαθμός|τόμος|κύκλος|αιώνας"),
    ("ου", "Παγκοσμίου|ομίλου|γύρου|βαθμού|τόμου|κύκλου|αιώνα|εξαμήνου|τριμήνου|μέρους"),
    (
        "η",
        "τάξη|κατηγορία|φάση|θέση|ζώνη|περίοδος|ομάδα|Εθνική|Λυκείου|Γυμνασίου|Δημοτικού|λυκείου|γυμνασίου|δημοτικού",
    ),
    ("ης", "τάξης|κατηγορίας|φάσης|θέσης|ζώνης|περιόδου|Εθνικής"),
    ("ο", "μέρος|κεφάλαιο|εξάμηνο|τρίμηνο|βιβλίο|θέμα|ημίχρονο"),
)
_RULERS = (
    ("ος",
     "Γεώργιος Όθων Κωνσταντίνος Αλέξανδρος Φίλιππος Λουδοβίκος Παύλος Πέτρος Νικόλαος Κάρολος Ερρίκος Βασίλειος"),
    ("ος", "Αλέξιος Μανουήλ Ναπολέων"),
    ("ου",
     "Γεωργίου Όθωνα Κωνσταντίνου Αλεξάνδρου Φιλίππου Λουδοβίκου Παύλου Πέτρου Νικολάου Καρόλου Ερρίκου Βασιλείου"),
    ("η", "Ελισάβετ Αικατερίνη"), ("ης", "Αικατερίνης"),
)  # fmt: skip


def numerals() -> Iterator[tuple[str, str]]:
    """Letters with a numeral sign before a noun or after the name of a ruler, as ordinals."""
    for ending, nouns in _BEFORE:
        for letters, stem in _STEMS:
            yield rf"(?<!\w){letters}[΄ʹ'’](?= (?:{nouns})(?!\w))", stem.replace("{}", ending) + ending
    for ending, names in _RULERS:
        behind = "|".join(rf"(?<=\b{name} )" for name in names.split())
        for letters, stem in _STEMS:
            yield rf"(?:{behind}){letters}[΄ʹ'’](?!\w)", stem.replace("{}", ending) + ending
