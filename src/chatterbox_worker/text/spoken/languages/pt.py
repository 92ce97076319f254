"""Portuguese, as CLDR's pt: that of Brazil. Not CLDR's: Cunha and Cintra, Nova gramática do português
contemporâneo, 12 (numerals), and Manual de redação da Presidência da República (dates, hours, abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

_MASCULINE_IN_A = "dia|problema|programa|sistema|tema|poema|planeta|mapa|drama|idioma|clima|cometa|grama|quilograma"

RULES = Rules(
    locale="pt", group=". ", decimal=",", cardinal="cardinal-masculine",
    agreement=(
        ((rf"=? (?!(?:{_MASCULINE_IN_A})s\b)(?:\w\w+as|\w+(?:ções|sões|dades)|vezes|mulheres|noites|tardes|partes|"
          rf"hora|"
         r"semana|pessoa|vez|página|libra|milha|tonelada|polegada|onça|xícara|colher|mulher|menina|casa|noite)\b"),
         "cardinal-feminine"),
        (rf"= (?!(?:{_MASCULINE_IN_A})\b)\w+a\b", "cardinal-feminine"),
    ),
    ordinals=((r"\.?º", "ordinal-masculine"), (r"\.?ª", "ordinal-feminine")),
    forms=((r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>\w+as)\b", "{n} {w} e meia"),
           (r"(?<!\w)[Nn](?:º|\.º|°) ?(?=\d)", "número "), (r"(?<!\w)[Pp]ág\. ?(?=\d)", "página ")),
    to="a",
    between={":": "para", "/": "sobre", "x": "por", "^": "elevado a"},
    fractions={
        "1/2": "meio", "n 1/2": "{n} e meio",
        "1/3": "um terço", "2/3": "dois terços", "1/4": "um quarto", "3/4": "três quartos",
    },
    fraction_and=" e ",
    money={
        "BRL": Money(major="one{real} other{reais}", minor="one{centavo} other{centavos}"),
        "USD": Money(major="one{dólar} other{dólares}", minor="one{centavo} other{centavos}"),
        "EUR": Money(major="one{euro} other{euros}", minor="one{cêntimo} other{cêntimos}"),
        "GBP": Money(major="one{libra} other{libras}", minor="one{pêni} other{pence}"),
        "JPY": Money(major="one{iene} other{ienes}"),
    },
    money_and=" e ", money_of=" de ",
    money_scales={
        "mil milhões": "other{mil milhões}", "milhões": "other{milhões}", "milhão": "other{milhão}",
        "bilhões": "other{bilhões}", "bilhão": "other{bilhão}",
    },
    time="{h} e {m}", time_hour="{h} horas", time_marks=":h", time_after="h|horas", hour="cardinal-feminine",
    time_fixes={r"^uma horas": "uma hora"},
    date="{d} de {m} de {y}", day_first="primeiro", phone_plus="mais",
    marks={
        ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", "@": "arroba", ":": "dois pontos",
        "?": "interrogação", "=": "igual", "&": "e", "#": "cerquilha", "%": "por cento", "+": "mais", "~": "til",
    },
    symbols={
        "&": "e", "@": "arroba", "#": "número", "№": "número", "§": "parágrafo", "+": "mais", "=": "igual a",
        "×": "vezes", "÷": "dividido por", "±": "mais ou menos", "²": "ao quadrado", "³": "ao cubo",
        "≈": "aproximadamente", "<": "menor que",
        ">": "maior que", "≤": "menor ou igual a", "≥": "maior ou igual a", "−": "menos",
    },
    titles={
        "Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "Dra.": "doutora", "Prof.": "professor",
        "Profa.": "professora", "p. ex.": "por exemplo", "p.ex.": "por exemplo", "Av.": "avenida", "pág.": "página",
        "Exmo.": "excelentíssimo", "aprox.": "aproximadamente", "tel.": "telefone",
    },
    abbreviations={"etc.": "et cetera", "a.C.": "antes de Cristo", "d.C.": "depois de Cristo"},
    roman=(
        (r"(?<!\w)(?:séculos?|[Cc]apítulo) (?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("séculos?|[Cc]apítulo|[Tt]omo|[Vv]olume|[Pp]arte|[Aa]to|[Cc]ena|[Ll]ivro|Guerra Mundial"), "",
         "{n}"),
        (r"(?<!\w)(?:Maria|Isabel|Catarina) (?P<r>I{1,3}|I?V|VI{1,3})(?!\w)", "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?:João|Pedro|Afonso|Manuel|Carlos|Filipe|Luís|Henrique|João Paulo|Bento|Pio|José|Miguel|Sebastião|"
         r"Napoleão) (?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)"), "ordinal-masculine", "{n}"),
        (regnal("Luís|Bento|Pio|Leão|João|Gregório"), "", "{n}"),
    ),
    letters="á bê cê dê é éfe gê agá i jota cá éle ême êne ó pê quê érre ésse tê u vê dáblio xis ípsilon zê",
    spelled=frozenset({"UE", "EUA", "IA", "URL", "USB", "API", "IBGE"}),
    plurals=((r"(?<=[aeiou])\(s\)", "s"),),
)  # fmt: skip
