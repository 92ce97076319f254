"""Sentence tables: "|" marks the end of a sentence."""

from __future__ import annotations

import pytest

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.text.breaks import Break, breaks

LANGUAGE_TABLE = {
    "ar": [
        "ذهبتُ إلى السوق صباحاً.| هل تريد أن تأتي معي؟| نعم، بالطبع!",
        "قال د. أحمد إن النتائج جيدة؛ وشكر الفريق.| انتهى الاجتماع.",
    ],
    "da": [
        "Vi mødes den 3. Oktober, dvs. om en uge.| Kommer du?",
        "Han købte bl.a. Brød og smør.| »Tak!« sagde hun.| Så gik de hjem.",
    ],
    "de": [
        "Dr. Müller kommt z. B. Montag.| Am 3. Oktober ist frei.| „Wirklich?“ fragte er.",
        "Das kostet 1.000,50 Euro, d. h. zu viel.| Ludwig XIV. Baute viel.",
        "Vom 3.–5. Mai wohnt sie Hauptstr. 12, 2. Stock.| Der ehem. Mieter zog aus.",
    ],
    "el": [
        "Πού πας;| Πάω στην αγορά.",
        "Ο κ. Παπαδόπουλος ήρθε στις 5 μ.μ. και έφυγε.| Τι ώρα είναι;| Δεν ξέρω, π.χ. Δύο.",
    ],
    "en": [
        "Mr. and Mrs. Smith met Dr. Jones at 5 p.m. on Monday.| They left.",
        "J. R. R. Tolkien wrote it (in 1937).| Did he?| Yes, i.e. Certainly.",
    ],
    "es": [
        "¿Cómo está usted?| ¡Muy bien, Sr. García!| Gracias.",
        "Compró frutas, p. ej. Manzanas.| La Dra. López vive en EE. UU. Desde 2010.",
    ],
    "fi": [
        "Tapaamme 3. Lokakuuta, esim. Helsingissä.| Sopiiko?",
        "Prof. Virtanen puhui klo 12.30.| Kaikki kuuntelivat.",
    ],
    "fr": [
        "« Bonjour. »| Comment ça va ?| Très bien !",
        "M. Dupont et Mme. Durand sont là, cf. Paris.| Il est 10 h 30.",
    ],
    "he": ["שלום, מה שלומך?| אני בסדר גמור!", "ד. כהן הגיע אתמול.| הוא דיבר שעה."],
    "hi": ["नमस्ते, आप कैसे हैं?| मैं ठीक हूँ।| धन्यवाद॥", "डॉ. शर्मा कल आए।| उन्होंने 3.5 किलो आम खरीदे।"],
    "it": [
        "Il sig. Rossi abita qui.| La dott.ssa Bianchi no.| Perché?",
        "Costa 3,50 euro, p. es. Oggi.| «Va bene.»| Ciao!",
    ],
    "ja": ["今日はいい天気ですね。|散歩に行きましょう！|どうですか？", "「行こう。」|彼は言った。|3.14は円周率です。"],
    "ko": ["안녕하세요?| 오늘 날씨가 좋네요.| 산책할까요?", "네.| 버전 2.5가 나왔습니다.| 정말요!"],
    "ms": ["Selamat pagi, En. Ahmad.| Apa khabar?| Khabar baik!", "Dr. Siti tiba pada 8.30 pagi.| Kami gembira."],
    "nl": ["Dhr. De Vries komt bijv. Maandag.| Weet je dat zeker?", "Dat kost 1.250,00 euro.| Mevr. Jansen betaalt."],
    "no": ["Vi reiser 17. Mai, f.eks. Til Bergen.| Blir du med?", "Dr. Hansen ringte kl. 12.30.| Ingen svarte."],
    "pl": ["Prof. Kowalski mieszka przy ul. Długiej.| Czy to daleko?", "Spotkajmy się 3. Maja, np. W parku.| Dobrze!"],
    "pt": ["O Sr. Silva chegou.| A Dra. Costa saiu, p. ex. Ontem.| Porquê?", "Custa R$ 3,50.| É barato!"],
    "ru": [
        "Он родился в г. Москве, т. е. в столице.| Правда?| Да!",
        "А. С. Пушкин жил на ул. Мойка.| Там теперь музей.",
    ],
    "sv": ["Vi ses kl. 10, t.ex. På torget.| Kommer du?", "Prof. Berg, dvs. Anna, ringde.| Hon var glad."],
    "sw": ["Habari za asubuhi, Bw. Juma?| Nzuri sana.", "Dkt. Asha alifika saa 2.30.| Tulifurahi!"],
    "tr": ["Prof. Dr. Yılmaz geldi.| Nasılsınız?", "Toplantı 3. Katta, örn. Salonda.| İyi günler!"],
    "zh": ["你好！|今天天气真不错。|你去哪儿？", "他说：“走吧。”|然后他走了；雨停了。|圆周率是3.14。"],
}

ENGLISH_TABLE = [
    "Pi is 3.14 or so.| Version 2.0.1 is out.| It costs $1,000.50.",
    "See https://example.com/a.b?c=d!e for more.| Write to j.doe@example.co.uk.| Open report.final.pdf now.",
    "Visit example.com.| Then call at 10:30 a.m. tomorrow.",
    "We met at 5 p.m.| She left.",
    "Wait... what?| No...| Yes.",
    "Well… maybe not.| Hmm…| Right.",
    "“Stop!” he said.| “Why?” she asked.| 'Because.'| \"Fine.\"",
    "He left (she stayed.)| They met again [laugh].| Done.",
    "I work at Yahoo! in the U.S. Army.| So do I.| He does, too.",
    "No. 5 is mine.| No.| It is not, e.g. Never.",
    "1. Wash the rice.| 2. Boil it in 2019.| Then eat.",
    "What?!| Really!!!| Yes.",
    "The cats, dogs, etc. were fed.| Inc. magazine wrote it.",
    "Henry met George W. Bush on Jan. 5 near St. Louis.| Good.",
    "Hi there\n\n| Second one",
]


def sentences(text: str, language: str | None) -> list[str]:
    ends = sorted(
        index for index, strength in breaks(text, language).items() if strength >= Break.SENTENCE and index < len(text)
    )
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@pytest.mark.parametrize(
    ("language", "marked"), [(language, row) for language, rows in LANGUAGE_TABLE.items() for row in rows]
)
def test_sentences_end_where_a_reader_of_the_language_ends_them(language: str, marked: str) -> None:
    assert sentences(marked.replace("|", ""), language) == marked.split("|")


def test_every_language_of_the_catalogue_has_a_table() -> None:
    assert LANGUAGE_TABLE.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("marked", ENGLISH_TABLE)
def test_full_stops_that_end_no_sentence_are_not_breaks(marked: str) -> None:
    marked = marked.replace("\n\n| ", "|\n\n")
    assert sentences(marked.replace("|", ""), "en") == marked.split("|")


def test_a_regional_tag_uses_the_rules_of_its_language() -> None:
    assert sentences("O Exmo. Silva saiu.", "pt-BR") == ["O Exmo. Silva saiu."]
    assert sentences("O Exmo. Silva saiu.", None) == ["O Exmo.", " Silva saiu."]


def test_a_semicolon_is_a_question_mark_in_greek_only() -> None:
    assert len(sentences("Τι; Ναι.", "el")) == 2
    assert len(sentences("What; Yes.", "en")) == 1
    assert len(sentences("Τι\u037e Ναι.", None)) == 2


def test_texts_without_capitals_are_cut_into_sentences_too() -> None:
    assert sentences("hi! how are you? i am fine. bye.", "en") == ["hi!", " how are you?", " i am fine.", " bye."]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("one, two", ["one,"]),
        ("one; two: three", ["one;", "one; two:"]),
        ("one — two", ["one —"]),
        ("one—two", ["one—"]),
        ("co-op at 10:30, 1,000 in 1914–1918", ["co-op at 10:30,"]),
        ("一，二、三", ["一，", "一，二、"]),
        ("أولا، ثانيا؛ ثالثا", ["أولا،", "أولا، ثانيا؛"]),
    ],
)
def test_clauses_end_at_commas_colons_and_dashes(text: str, ends: list[str]) -> None:
    assert [text[:index] for index, strength in sorted(breaks(text).items()) if strength == Break.CLAUSE] == ends


def test_no_break_lies_inside_a_sound_tag() -> None:
    text = "Well [clear throat] yes"
    assert [text[:index] for index in sorted(breaks(text))] == ["Well", "Well [clear throat]"]
