"""Portuguese, as CLDR's pt: that of Brazil; CLDR's pt-PT for the regions that count "mil milhões". Not CLDR's: Cunha
and Cintra, Nova gramática do português contemporâneo, 12 (numerals), and Manual de redação da Presidência da República
(dates, hours, abbreviations).
"""

from dataclasses import replace

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MASCULINE_IN_A = "dia|problema|programa|sistema|tema|poema|planeta|mapa|drama|idioma|clima|cometa|grama|quilograma"

_ORDINALS = (
    "primeiro", "segundo", "terceiro", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono", "décimo",
)  # fmt: skip
_COUNTED = "lugar|andar|dia|ano|turno|tempo|de|semestre|trimestre|capítulo|colocado|prêmio"
_WEEKDAYS = {
    "seg": "segunda", r"(?:(?-i:Ter)|ter(?=\.))": "terça", "qua": "quarta", "qui": "quinta", "sex": "sexta",
    "sáb": "sábado",
    "dom": "domingo",
}  # fmt: skip
_MONTHS = {
    "jan": "janeiro", "fev": "fevereiro", "mar": "março", "abr": "abril", "mai": "maio", "jun": "junho",
    "jul": "julho", "ago": "agosto", "set": "setembro", "out": "outubro", "nov": "novembro", "dez": "dezembro",
}  # fmt: skip

RULES = Rules(
    locale="pt", group=". ", decimal=",", cardinal="cardinal-masculine",
    sections=r"[Ss]eção|[Ss]ecção|[Cc]apítulo|[Ff]igura|[Tt]abela|[Vv]ersão|[Ee]xercício|[Aa]nexo",
    agreement=(
        ((rf"=? (?!(?:{_MASCULINE_IN_A})s\b)(?:\w\w+as|\w+(?:ções|sões|dades)|vezes|mulheres|noites|tardes|partes|"
          rf"hora|"
         r"maçã|mesa|colheres|cadeira|cebola|cenoura|banana|laranja|garrafa|fatia|gota|folha|rua|palavra|letra|"
         r"linha|carta|"
         r"porta|janela|cama|foto|pergunta|resposta|parcela|estrela|vitória|derrota|equipe|família|escola|loja|"
         r"semana|pessoa|vez|página|libra|milha|tonelada|polegada|onça|xícara|colher|mulher|menina|casa|noite)\b"),
         "cardinal-feminine"),
        (rf"= (?!(?:{_MASCULINE_IN_A})\b)\w+a\b", "cardinal-feminine"),
    ),
    ordinals=((r"\.?º", "ordinal-masculine"), (r"\.?ª", "ordinal-feminine"),
              (r"o(?= (?:lugar|andar|dia|ano|grau|turno|tempo|de|semestre|trimestre|capítulo|colocado|prêmio|século))",
               "ordinal-masculine"),
              (r"a(?= (?:vez|parte|edição|classe|série|fila|rodada|guerra|Guerra|temporada|etapa|feira))",
               "ordinal-feminine")),
    forms=(
        *((rf"(?<![\d.,]){number}°(?= (?:{_COUNTED})\b)", word) for number, word in enumerate(_ORDINALS, 1)),
        *weekdays(_WEEKDAYS, "a", after=r"\d{1,2}(?:h|:\d| ?[-–])"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) (?P<w>xícara|hora|colher|semana|garrafa|maçã)\b", "uma {w} e meia"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>colheres)\b", "{n} {w} e meia"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?kg\b", "um quilo e meio"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?kg\b", "{n} quilos e meio"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?[lL]\b", "um litro e meio"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?[lL]\b", "{n} litros e meio"),
        (r"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?!dia|quilograma|programa)\w+a\b|colher\b)", "meia "),
        (r"(?<![\w/.,])1/5(?= d[aeo])", "um quinto"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= d[aeo])", "{n} quintos"),
        (r"(?<![\w/.,])1/10(?= d[aeo])", "um décimo"),
        (r"(?<=\d)x(?= (?:de|sem|com|no|mais|menos|maior|menor)\b)", "vezes"), (r"(?<!\w)[Kk]m (?=\d)", "quilômetro "),
        (r"(?<![\w.,])(?P<n>\d{1,2}) ?¢", "{n} centavos"), (r"(?<=[Aa]nos )['’](?=\d0(?!\w))", ""),
        (r"(?<!\w)[Aa]pto?\. ?(?=\d)", "apartamento "),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>\w+as)\b", "{n} {w} e meia"),
           (r"(?<!\w)[Nn](?:º|\.º|°) ?(?=\d)", "número "), (r"(?<!\w)[Pp]ág\. ?(?=\d)", "página ")),
    to="a", score="a", code_number="pairs", emergency=r"\b(?:[Ll]ig\w+|[Dd]is[cq]\w+)(?: para)?(?: o)? ",
    phones=r"\b(?:[Tt]el\.|[Tt]elefone|[Cc]elular|[Ff]ax|WhatsApp|[Ll]ig\w+):? (?:para )?(?:o )?",
    per={
        "mês": "por mês", "ano": "por ano", "dia": "por dia", "semana": "por semana", "hora": "por hora",
        "h": "por hora", "noite": "por noite", "pessoa": "por pessoa", "m²": "o metro quadrado",
        "m2": "o metro quadrado", "m³": "o metro cúbico", "kg": "o quilo", "l": "o litro", "L": "o litro",
        "kWh": "o quilowatt-hora", "km": "por quilômetro", "unidade": "a unidade", "un.": "a unidade",
    },
    numbered={
        "pp.": "páginas", "págs.": "páginas", "p.": "página", "fig.": "figura", "cap.": "capítulo", "arts.": "artigos",
        "art.": "artigo", "vol.": "volume", "tab.": "tabela", "ref.": "referência", "mín.": "mínimo", "máx.": "máximo",
    },
    out_of="de", between={":": "para", "/": "sobre", "x": "por", "^": "elevado a"},
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
        "CHF": Money(major="one{franco} other{francos}", minor="one{cêntimo} other{cêntimos}"),
    },
    money_and=" e ", money_of=" de ", phrase_fixes={" mil de ": " mil "},
    money_scales={
        "mil milhões": "other{mil milhões}", "mil": "other{mil}", "milhões": "other{milhões}",
        "milhão": "other{milhão}",
        "bilhões": "other{bilhões}", "bilhão": "other{bilhão}",
        "mi": "one{milhão} other{milhões}", "bi": "one{bilhão} other{bilhões}",
    },
    units={"Km": "kilometer", "Kg": "kilogram", "lt": "liter", "seg": "second"},
    unit_words={
        "dB": "one{decibel} other{decibéis}",
        "pess.": "one{pessoa} other{pessoas}", "t": "one{tonelada} other{toneladas}",
        "un.": "one{unidade} other{unidades}", "cv": "one{cavalo} other{cavalos}",
        "rpm": "one{rotação por minuto} other{rotações por minuto}",
    },
    time="{h} e {m}", time_hour="{h} horas", time_marks=":h", time_after="h|horas|min", hour="cardinal-feminine",
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
        ">": "maior que", "≤": "menor ou igual a", "≥": "maior ou igual a", "−": "menos", "≠": "diferente de",
    },
    titles={
        "Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "Dra.": "doutora", "Prof.": "professor",
        "Profa.": "professora", "p. ex.": "por exemplo", "p.ex.": "por exemplo", "Av.": "avenida", "pág.": "página",
        "Exmo.": "excelentíssimo", "aprox.": "aproximadamente", "tel.": "telefone",
        "Tel.": "telefone", "Profª": "professora", "Prof.ª": "professora", "Dr.ª": "doutora", "Drª": "doutora",
        "Sr.ª": "senhora", "Sto.": "santo", "Sta.": "santa", "V. Exa.": "vossa excelência", "V.Sa.": "vossa senhoria",
        "V. Sa.": "vossa senhoria", "Ilmo.": "ilustríssimo", "Eng.": "engenheiro", "Arq.": "arquiteto", "Pe.": "padre",
        "Pça.": "praça", "Pç.": "praça", "Rod.": "rodovia", "Al.": "alameda", "Jd.": "jardim", "Vl.": "vila",
        "Trav.": "travessa", "vc": "você", "vcs": "vocês", "tb": "também", "tbm": "também", "pq": "porque",
        "obs.": "observação", "Obs.": "observação", "c/": "com", "s/": "sem", "p/": "para", "Sr": "senhor",
        "por ex.": "por exemplo", "mín.": "mínimo", "máx.": "máximo", "qtd.": "quantidade", "séc.": "século",
        "sécs.": "séculos",
        "cf.": "confira",
    },
    abbreviations={"etc.": "et cetera", "a.C.": "antes de Cristo", "d.C.": "depois de Cristo",
                   "Ltda.": "limitada", "Cia.": "companhia", "S.A.": "ésse á", "Jr.": "júnior"},
    abbreviated=(
        (r"(?<!\w)D\.(?= (?:Maria|Isabel|Catarina|Leopoldina|Teresa|Ana)\b)", "Dona"),
        (r"(?<!\w)D\.(?= (?:Pedro|João|Afonso|Manuel|Sebastião|Dinis|Carlos|Miguel|José|Luís)\b)", "Dom"),
        (r"(?:^|(?<=, )|(?<=: )|(?<=[Nn]a ))R\.(?= [A-ZÀ-Þ][a-zà-ÿ]+(?: [A-ZÀ-Þa-z]\w+)*, \d)", "rua"),
        (r"(?<!\w)S\.(?= (?:Paulo|José|João|Pedro|Luís|Bernardo|Caetano|Francisco|Vicente)\b)", "São"),
        *((rf"(?:(?<=\d )|(?<=\d de )){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:Guerra Mundial|República|Bienal|edição))", "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:milênio|Congresso|Encontro))", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?:séculos|sécs\.) (?:[IVX]+|[IVX]+, [IVX]+) e (?P<r>[IVX]{2,})(?!\w)", "", "{n}"),
        (r"(?<!\w)(?:séculos?|sécs?\.|[Cc]apítulo) (?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("séculos?|sécs?\\.|[Ii]nc\\.|[Cc]ap\\.|[Cc]apítulo|[Tt]omo|[Vv]olume|[Pp]arte|[Aa]to|"
                     "[Cc]ena|[Ll]ivro|Guerra Mundial"), "",
         "{n}"),
        (r"(?<!\w)(?:Maria|Isabel|Catarina) (?P<r>I{1,3}|I?V|VI{1,3})(?!\w)", "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?:João|Pedro|Afonso|Manuel|Carlos|Filipe|Luís|Henrique|João Paulo|Bento|Pio|José|Miguel|Sebastião|"
         r"Napoleão) (?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)"), "ordinal-masculine", "{n}"),
        (regnal("Luís|Bento|Pio|Leão|João|Gregório"), "", "{n}"),
    ),
    letters="á bê cê dê é éfe gê agá i jota cá éle ême êne ó pê quê érre ésse tê u vê dáblio xis ípsilon zê",
    spelled=frozenset({"UE", "EUA", "IA", "URL", "USB", "API", "IBGE", "CO", "UTC", "BCE", "OMS", "OAB"}),
    plurals=((r"(?<=[aeiou])\(s\)", "s"),),
)  # fmt: skip


def _spell_thousands_of_millions(number: int, rule_set: str) -> str | None:
    """The words "dois mil e quinhentos milhões", for which CLDR has "dois mil milhões e quinhentos milhões"."""
    if not 10**9 <= number < 10**12 or not rule_set.startswith("cardinal"):
        return None
    millions, rest = divmod(number, 10**6)
    after = icu.spell(2 * 10**6 + rest, "pt-PT", rule_set).removeprefix("dois milhões")
    return f"{icu.spell(millions, 'pt-PT', 'cardinal-masculine')} milhões{after}"


_EUROPEAN = replace(
    RULES, locale="pt-PT", speller=_spell_thousands_of_millions,
    forms=tuple((pattern, words.replace("quilômetro", "quilómetro")) for pattern, words in RULES.forms),
)  # fmt: skip
REGIONS = dict.fromkeys(("AO", "MZ", "PT"), _EUROPEAN)
