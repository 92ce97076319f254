"""Portuguese, as CLDR's pt: that of Brazil; CLDR's pt-PT for the regions that count "mil milhões". Not CLDR's: Cunha
and Cintra, Nova gramática do português contemporâneo, 12 (numerals), and Manual de redação da Presidência da República
(dates, hours, abbreviations).
"""

from dataclasses import replace

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import months_in_short, parts_of, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MASCULINE_IN_A = (
    r"dia|problema|programa|sistema|tema|poema|planeta|mapa|drama|idioma|clima|cometa|\w*grama|telefonema|cinema|"
    r"esquema|"
    r"diploma|panorama|fantasma|enigma|dilema|trauma|atleta|poeta|colega|papa|pirata|guarda|gorila|pijama|"
    r"(?!(?:l|rev|p|v|entrev|conqu)ista)\w+ista"
)
_NO_NOUN_IN_A = (
    "para|contra|fora|cada|ainda|agora|era|seria|toda|desta|dessa|nesta|nessa|acima|embora|falta|começa|termina|trata|"
    "fala|fica|passa|chega|mostra|indica|representa|significa|custa|ganha|joga|entra|abaixo"
)
_ORDINALS = (
    "primeiro", "segundo", "terceiro", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono", "décimo",
)  # fmt: skip
_DAYS = {"2": "segunda", "3": "terça", "4": "quarta", "5": "quinta", "6": "sexta"}
_COUNTED = (
    "lugar|andar|dia|ano|turno|tempo|de|semestre|trimestre|capítulo|colocado|prêmio|grau|século|aniversário|batalhão"
)
_COINS = (("real", "reais", "centavos"), ("euro", "euros", "cêntimos"), ("dólar", "dólares", "centavos"))
_WEEKDAYS = {
    "seg": "segunda", r"(?:(?-i:Ter)|ter(?=\.))": "terça", "qua": "quarta", "qui": "quinta", "sex": "sexta",
    "sáb": "sábado", "dom": "domingo",
}  # fmt: skip
_MONTHS = {
    "jan": "janeiro", "fev": "fevereiro", "mar": "março", "abr": "abril", "mai": "maio", "jun": "junho",
    "jul": "julho", "ago": "agosto", "set": "setembro", "out": "outubro", "nov": "novembro", "dez": "dezembro",
}  # fmt: skip
_MONTH = (
    "(?:[Jj]aneiro|[Ff]evereiro|[Mm]arço|[Aa]bril|[Mm]aio|[Jj]unho|[Jj]ulho|[Aa]gosto|[Ss]etembro|[Oo]utubro|"
    "[Nn]ovembro|"
    "[Dd]ezembro)"
)
_DAY_BEFORE = (
    r"(?:(?<=feira )|(?<=feira, )|(?<=ábado )|(?<=ábado, )|(?<=omingo )|(?<=omingo, )|(?<=\b[Dd]ia )|"
    r"(?:(?<=\b[Ee]m )|(?<=\b[Dd]e )|(?<=\b[Aa] )|(?<=\b[Aa]té ))"
    r"(?=\d\d/(?:0[1-9]|1[0-2])(?!\d))(?!(?P<x>\d\d)/(?P=x)))"
)
_BOOKS = (
    "Gênesis|Génesis|Êxodo|Levítico|Números|Deuteronômio|Isaías|Jeremias|Daniel|Jó|Salmo|Salmos|Provérbios|Mateus|"
    "Marcos|"
    "Lucas|João|Atos|Romanos|Coríntios|Gálatas|Efésios|Hebreus|Apocalipse|Gn|Ex|Dt|Is|Jr|Sl|Pv|Mt|Mc|Lc|Jo|At|Rm|Co|Gl|"
    "Ef|Hb|Ap"
)
_TO_TEN = "I{1,3}|I?V|VI{1,3}|I?X"
_SCORED = (
    "por", "placar de", "placar foi", "placar", "venceu", "perdeu de", "ganhou de", "goleada de", "empate em",
    "empatou em",
    "itória de", "errota de",
)  # fmt: skip
_FEMININE = (
    rf"=?(?: (?:ou|a|e) [\d.,]+)?(?: (?:em|de|a|para) cada [\d.]+)?(?: mil)? (?:(?:grandes|principais|diferentes|"
    rf"jovens|"
    rf"simples|importantes) )?(?!(?:{_MASCULINE_IN_A})s\b)(?:\w\w+as|\w+(?:ção|ções|são|sões|dades?|gens?|tudes?)|"
    rf"fotos?|"
    r"motos?|tribos?|mãos?|mães?|flor(?:es)?|cor(?:es)?|dor(?:es)?|voz(?:es)?|luz(?:es)?|cruz(?:es)?|leis?|redes?|"
    r"chaves?|"
    r"torres?|fontes?|pontes?|classes?|bases?|frases?|fases?|crises?|séries?|espécies?|greves?|ordens?|árvores?|naves?|"
    r"equipes?|atriz(?:es)?|irmãs?|maçãs?|manhãs?|capitais|filiais|teses?|hipóteses?|análises?|doses?|nozes|raízes|"
    r"vez(?:es)?|"
    r"mulher(?:es)?|noites?|tardes?|partes?|colher(?:es)?|hora|mesa|cadeira|cebola|cenoura|banana|laranja|garrafa|"
    r"fatia|"
    r"gota|folha|rua|palavra|letra|linha|carta|porta|janela|cama|pergunta|resposta|parcela|estrela|vitória|derrota|"
    r"família|"
    r"escola|loja|semana|pessoa|página|libra|milha|tonelada|polegada|onça|xícara|menina|casa)\b"
)

RULES = Rules(
    locale="pt", group=". ", decimal=",", cardinal="cardinal-masculine",
    sections=r"[Ss]eção|[Ss]ecção|[Cc]apítulo|[Ff]igura|[Tt]abela|[Vv]ersão|[Ee]xercício|[Aa]nexo",
    books=_BOOKS, date_short=((_DAY_BEFORE, r"(?![\d/\w]|[.,]\d| ?[%€])"),),
    compass={"N": "norte", "S": "sul", "E": "leste", "O": "oeste", "W": "oeste"},
    singular=((rf" (?!(?:{_MASCULINE_IN_A}|{_NO_NOUN_IN_A})\b)[a-zà-ú]{{3,}}a\b", "cardinal-feminine"),),
    agreement=(
        (_FEMININE, "cardinal-feminine"), (rf"= (?!(?:{_MASCULINE_IN_A})\b)\w+a\b", "cardinal-feminine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]apítulo|[Pp]ágina|[Aa]rtigo|[Nn]úmero|[Vv]olume|[Pp]arte|[Ss]ala|[Qq]uarto|[Ll]inha|[Cc]anal|"
        r"[Nn]ível|[Ff]ase|[Tt]ipo|[Vv]ersão|[Gg]rupo|[Pp]asso|[Ff]igura|[Tt]abela|[Dd]ia|[Ii]tem|[Ii]nciso|[Qq]uestão|"
        r"[Oo]|[DdNn]o|[Aa]o|Fórmula|Globo|Série|[A-Z]{3,}) $|\w[=:#-]$|#$"
    ),
    ordinals=((r"(?:\.?º|\.°)", "ordinal-masculine"), (r"\.?ª", "ordinal-feminine"),
              (rf"o\.?(?= (?:{_COUNTED}))", "ordinal-masculine"),
              (r"a\.?(?= (?:vez|parte|edição|classe|série|fila|rodada|guerra|Guerra|temporada|etapa|feira))",
               "ordinal-feminine")),
    forms=(
        (rf"(?<![\d.,-])(?P<n>\d{{1,3}})°(?= (?:{_COUNTED})\b)", "{n:ordinal-masculine}"),
        ((r"(?:(?<=\b[Oo] )|(?<=\b[DdNn]o )|(?<=\b[Aa]o )|(?<=\b[Pp]elo ))(?P<n>\d{1,2})°(?! ?[CF](?!\w)|[\w'’]| ?\d)"),
         "{n:ordinal-masculine}"),
        (r"(?:(?<=\b[DdNn]a )|(?<=\b[Pp]ela ))(?P<n>\d{1,2})°(?! ?[CF](?!\w)|[\w'’]| ?\d)", "{n:ordinal-feminine}"),
        *((rf"(?<![\w.,]){n}(?:ª|a)(?=[- ]feira\b)", day) for n, day in _DAYS.items()),
        *((rf"(?<![\w.,]){n}(?:ª|a)s(?=[- ]feiras\b)", f"{day}s") for n, day in _DAYS.items()),
        *((rf"(?<![\w.,]){n}\.?[oº]s(?!\w)", f"{word}s") for n, word in enumerate(_ORDINALS, 1)),
        *((rf"(?<![\w.,]){n}\.?[aª]s(?!\w)", f"{word[:-1]}as") for n, word in enumerate(_ORDINALS, 1)),
        (rf"(?<![\w.,/:-])1(?= de {_MONTH}\b)", "primeiro"),
        ((r"(?<=[a-z])/(?=\d{4}(?!\w))(?:(?<=eiro/)|(?<=ço/)|(?<=bril/)|(?<=aio/)|(?<=unho/)|(?<=ulho/)|(?<=gosto/)|"
          r"(?<=mbro/)|(?<=ubro/))"), "de "),
        *((rf"(?<=\d)/{short}(?!\w)", f"de {long}") for short, long in _MONTHS.items()),
        *((rf"(?<![\w/]){short}/(?=(?:20)?\d\d(?!\w))", f"{long} de ") for short, long in _MONTHS.items()),
        ((rf"(?:{'|'.join(f'(?<={word} )' for word in _SCORED)})(?P<n>\d{{1,2}}) ?x ?(?P<m>\d{{1,2}})"
          r"(?!\w|[.,]\d| ?(?:cm|m|mm|metros|=)(?!\w))"), "{n} a {m}"),
        (r"(?<![\w.])(?P<t>[A-ZÀ-Þ][a-zà-ú]+) (?P<n>\d{1,2}) ?x ?(?P<m>\d{1,2})(?= [A-ZÀ-Þ][a-zà-ú])", "{t} {n} a {m}"),
        (r"(?<=\d) x (?=0(?!\w|[.,]\d))", " a "), (r"(?<=\d)x(?=0(?!\w|[.,]\d))", "a"),
        (r"(?<=\d) x (?=\d+ ?=)", " vezes "), (r"(?<=\d)x(?=\d+ ?=)", "vezes"),
        ((r"(?<![\w/.,])(?<!\d )(?=2/3|3/4|4/5|5/6|6/7|7/8)(?P<n>\d)/(?P<m>\d) "
          r"(?P<w>vezes|dias|pessoas|anos|meses|horas|semanas|minutos)\b"), "{n} ou {m} {w}"),
        (r"(?<=\d)x/dia(?!\w)", "vezes por dia"), (r"(?<=vezes)/(?=dia\b|semana\b|ano\b|mês\b)", "por"),
        (r"(?<![\w.])ca?\. (?=1\d\d\d(?!\w))", "cerca de "),
        ((r"(?:(?<=[Ll]ei )|(?<=\b[Nn]º )|(?<=\b[Nn]\.º )|(?<=\b[Nn]\. )|(?<=[Dd]ecreto ))"
          r"(?P<n>\d{1,3}\.\d{3}|\d{1,5})/(?P<y>(?:19|20)?\d\d)(?![\w/])"), "{n} de {y}"),
        (r"(?<![\w,.])1m(?P<m>\d\d)(?!\w)", "um metro e {m}"), (r"(?<![\w,.])2m(?P<m>\d\d)(?!\w)", "dois metros e {m}"),
        (r"(?<!\w)24/7(?!\w)", "vinte e quatro por sete"),
        (r"(?:(?<=[Mm]otor )|(?<=\b[Ww]eb ))(?P<n>\d)\.(?P<m>\d)(?!\d|[.,]\d)", "{n} ponto {m}"),
        (r"(?<=\b[Aa]os )(?P<n>\d{1,3})['’′](?![\w'’′\"])", "{n} minutos"),
        (r"(?<=\d['’′] e )(?P<n>\d{1,3})['’′](?![\w'’′\"])", "{n} minutos"),
        (r"(?<=\d%) a\. ?a\.", " ao ano"), (r"(?<=\d%) a\. ?m\.", " ao mês"),
        (r"(?<![\d.,])(?P<a>\d{1,4}) ?[-–] ?(?P<b>\d{1,4})(?= (?:a\.|antes de C))", "{a} a {b}"),
        *((rf"(?<![\w.,])0,(?P<c>[1-9]\d) {many}\b", f"{{c}} {cents}") for _, many, cents in _COINS),
        *((rf"(?<![\w.,])1,(?P<c>[1-9]\d|0[1-9]) (?:{one}|{many})\b", f"um {one} e {{c}} {cents}")
          for one, many, cents in _COINS),
        *((rf"(?<![\w.,])(?P<n>\d{{1,3}}(?:\.\d{{3}})*|\d+),00 {many}\b", f"{{n}} {many}") for _, many, _ in _COINS),
        *((rf"(?<![\w.,])(?P<n>\d{{1,3}}(?:\.\d{{3}})*|\d+),(?P<c>\d\d) {many}\b", f"{{n}} {many} e {{c}} {cents}")
          for _, many, cents in _COINS),
        *weekdays(_WEEKDAYS, "a", after=r"\d{1,2}(?:h|:\d| ?[-–])"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) (?P<w>xícara|hora|colher|semana|garrafa|maçã)\b", "uma {w} e meia"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>colheres)\b", "{n} {w} e meia"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?kg\b", "um quilo e meio"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?kg\b", "{n} quilos e meio"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?[lL]\b", "um litro e meio"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?[lL]\b", "{n} litros e meio"),
        (r"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?!dia|quilograma|programa)\w+a\b|colher\b)", "meia "),
        *parts_of("xícara|copo|garrafa|litro|quilo|metro|hora|libra|colher",
                  "um quarto de", "três quartos de", "um terço de", "dois terços de"),
        (r"(?<![\w/.,])1/8(?= d[aeo])", "um oitavo"), (r"(?<![\w/.,])1/8 ?[lL]\b", "um oitavo de litro"),
        (r"(?<![\w/.,])1/5(?= d[aeo])", "um quinto"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= d[aeo])", "{n} quintos"),
        (r"(?<![\w/.,])1/10(?= d[aeo])", "um décimo"),
        (r"(?<=\d)x(?= (?:de|sem|com|no|mais|menos|maior|menor)\b)", "vezes"), (r"(?<!\w)[Kk]m (?=\d)", "quilômetro "),
        (r"(?<![\w.,])(?P<n>\d{1,2}) ?¢", "{n} centavos"), (r"(?<=[Aa]nos )['’](?=\d0(?!\w))", ""),
        (r"(?<!\w)(?:[Aa]pto?\.|[Aa]pto) ?(?=\d)", "apartamento "), (r"(?<!\w)[Cc]j\. ?(?=\d)", "conjunto "),
        (r"(?<!\w)Lt\. ?(?=\d)", "lote "),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>\w+as)\b", "{n} {w} e meia"),
           (r"(?<!\w)[Nn](?:º\.?|\.º|°) ?(?=\d)", "número "), (r"(?<!\w)[Pp]ág\. ?(?=\d)", "página ")),
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
        "n.": "número", "no.": "número", "op.": "opus", "ap.": "apartamento", "núm.": "número", "fls.": "folhas",
        "fl.": "folha",
    },
    out_of="de", days_before="em|ao|do|dia", between={":": "para", "/": "sobre", "x": "por", "^": "elevado a"},
    fractions={
        "1/2": "meio", "n 1/2": "{n} e meio", "1/3": "um terço", "2/3": "dois terços", "1/4": "um quarto",
        "3/4": "três quartos",
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
    scales={
        "mi": "one{milhão} other{milhões}", "bi": "one{bilhão} other{bilhões}", "tri": "one{trilhão} other{trilhões}",
    },
    money_and=" e ", money_of=" de ", phrase_fixes={
        " mil de ": " mil ", "^meio (?=colher|xícara|hora|libra|tonelada|milha|polegada|onça)": "meia ",
        r"^(\w+ (?:quarto|terço)s?) (?=[a-z])": r"\1 de ",
    },
    money_scales={
        "mil milhões": "other{mil milhões}", "mil": "other{mil}", "milhões": "other{milhões}",
        "milhão": "other{milhão}", "bilhões": "other{bilhões}", "bilhão": "other{bilhão}", "k": "other{mil}",
        "K": "other{mil}",
    },
    units={
        "Km": "kilometer", "Kg": "kilogram", "lt": "liter", "seg": "second", "Km/h": "kilometer-per-hour",
        "cc": "cubic-centimeter", "g/m²": "gram-per-square-meter",
    },
    unit_words={
        "dB": "one{decibel} other{decibéis}", "pess.": "one{pessoa} other{pessoas}",
        "t": "one{tonelada} other{toneladas}", "un.": "one{unidade} other{unidades}",
        "cv": "one{cavalo} other{cavalos}", "rpm": "one{rotação por minuto} other{rotações por minuto}",
        "pts": "one{ponto} other{pontos}", "bpm": "one{batimento por minuto} other{batimentos por minuto}",
        "pol.": "one{polegada} other{polegadas}", "p.p.": "one{ponto percentual} other{pontos percentuais}",
        "hab./km²": "one{habitante por quilômetro quadrado} other{habitantes por quilômetro quadrado}",
        "hab.": "one{habitante} other{habitantes}", "pct.": "one{pacote} other{pacotes}",
        "cx.": "one{caixa} other{caixas}", "dz.": "one{dúzia} other{dúzias}",
        **dict.fromkeys(("xíc.", "xíc"), "one{xícara} other{xícaras}"),
        **dict.fromkeys(("col.", "colh."), "one{colher} other{colheres}"),
        **{
            form.replace("*", spoon): f"one{{colher de {spoon}}} other{{colheres de {spoon}}}"
            for spoon in ("sopa", "chá", "café", "sobremesa")
            for form in ("c. de *", "c. *", "c. (*)", "col. (*)", "col. *", "colher (*)", "colheres (*)")
        },
        **{
            f"{cup} ({what})": f"one{{xícara de {what}}} other{{xícaras de {what}}}"
            for what in ("chá", "café")
            for cup in ("xícara", "xícaras", "xíc.")
        },
    },
    time_dotted=(r"(?:[Àà]s|[Dd]as) ", ""), time="{h} e {m}", time_hour="{h} horas", time_marks=":h",
    time_after="h|horas|min", hour="cardinal-feminine",
    time_fixes={r"^uma horas": "uma hora"},
    date="{d} de {m} de {y}", day_first="primeiro", phone_plus="mais",
    marks={
        ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", "@": "arroba", ":": "dois pontos",
        "?": "interrogação", "=": "igual", "&": "e", "#": "cerquilha", "%": "por cento", "+": "mais", "~": "til",
    },
    symbols={
        "&": "e", "@": "arroba", "#": "número", "№": "número", "§": "parágrafo", "+": "mais", "=": "igual a",
        "×": "vezes", "÷": "dividido por", "±": "mais ou menos", "²": "ao quadrado", "³": "ao cubo",
        "≈": "aproximadamente", "<": "menor que", ">": "maior que", "≤": "menor ou igual a", "≥": "maior ou igual a",
        "−": "menos", "≠": "diferente de", "√": "raiz quadrada de",
    },
    titles={
        "Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "Dra.": "doutora", "Prof.": "professor",
        "Profa.": "professora", "p. ex.": "por exemplo", "p.ex.": "por exemplo", "Av.": "avenida", "pág.": "página",
        "Exmo.": "excelentíssimo", "aprox.": "aproximadamente", "tel.": "telefone", "Tel.": "telefone",
        "Profª": "professora", "Prof.ª": "professora", "Dr.ª": "doutora", "Drª": "doutora", "Sr.ª": "senhora",
        "Sto.": "santo", "Sta.": "santa", "V. Exa.": "vossa excelência", "V.Sa.": "vossa senhoria",
        "V. Sa.": "vossa senhoria", "Ilmo.": "ilustríssimo", "Eng.": "engenheiro", "Arq.": "arquiteto", "Pe.": "padre",
        "Pça.": "praça", "Pç.": "praça", "Rod.": "rodovia", "Al.": "alameda", "Jd.": "jardim", "Vl.": "vila",
        "Trav.": "travessa", "vc": "você", "vcs": "vocês", "tb": "também", "tbm": "também", "pq": "porque",
        "obs.": "observação", "Obs.": "observação", "c/": "com", "s/": "sem", "p/": "para", "Sr": "senhor",
        "por ex.": "por exemplo", "mín.": "mínimo", "máx.": "máximo", "qtd.": "quantidade", "séc.": "século",
        "sécs.": "séculos", "cf.": "confira", "Cf.": "confira", "Srta.": "senhorita", "Srs.": "senhores",
        "Sras.": "senhoras", "Drs.": "doutores", "Exma.": "excelentíssima", "Exmos.": "excelentíssimos",
        "Ex.mo": "excelentíssimo", "Ex.ma": "excelentíssima", "V.Exa.": "vossa excelência",
        "V. Exª": "vossa excelência", "V.Exª": "vossa excelência", "V. Ex.ª": "vossa excelência",
        "V.Ex.ª": "vossa excelência", "Ilma.": "ilustríssima", "D.ª": "dona", "Dª": "dona", "sáb.": "sábado",
        "dom.": "domingo", "Eng.º": "engenheiro", "Arq.º": "arquiteto", "Profs.": "professores",
        "Ex.mos": "excelentíssimos", "V. Ex.as": "vossas excelências", "r/c": "rés do chão", "Eng.ª": "engenheira",
        "Lg.": "largo", "Qd.": "quadra", "i.e.": "isto é", "e.g.": "por exemplo", "p.e.": "por exemplo",
        "N.B.": "nota bene", "vs.": "versus", "vs": "versus", "S/A": "ésse á", "s/n": "sem número",
        "a/c": "aos cuidados de", "blz": "beleza", "abs": "abraços", "att": "atenciosamente", "att.": "atenciosamente",
        "Att.": "atenciosamente", "Atte.": "atenciosamente", "ñ": "não", "hj": "hoje", "bjs": "beijos",
        "msg": "mensagem", "vlw": "valeu", "pfv": "por favor", "dps": "depois", "qdo": "quando", "mto": "muito",
        "fds": "fim de semana", "Ref.ª": "referência", "Ref.": "referência", "tels.": "telefones",
    },
    abbreviations={"etc.": "et cetera", "a.C.": "antes de Cristo", "d.C.": "depois de Cristo",
                   "Ltda.": "limitada", "Cia.": "companhia", "S.A.": "ésse á", "Jr.": "júnior"},
    abbreviated=(
        ((r"(?<!\w)D\.(?= (?:Maria|Isabel|Catarina|Leopoldina|Teresa|Ana|Inês|Amélia|Carlota|Luísa|Beatriz|Leonor|"
          r"Filipa)\b)"), "Dona"),
        ((r"(?<!\w)D\.(?= (?:Pedro|João|Afonso|Manuel|Sebastião|Dinis|Carlos|Miguel|José|Luís|Fernando|Duarte|"
          r"Henrique|Filipe|Sancho)\b)"), "Dom"),
        (r"(?:^|(?<=, )|(?<=: )|(?<=[Nn]a ))R\.(?= (?:d[aeo]s? )?[A-ZÀ-Þ][a-zà-ÿ]+(?: [A-ZÀ-Þa-z]\w+)*, \d)", "rua"),
        (r"(?<!\w)S\.(?= (?:Paulo|José|João|Pedro|Luís|Bernardo|Caetano|Francisco|Vicente)\b)", "São"),
        *months_in_short(_MONTHS, " de "),
        *((rf"(?<![\w.])(?<!\d ){short}\.(?= [A-ZÀ-Þ][a-zà-ÿ])", word) for short, word in (
            ("Gen", "general"), ("Cel", "coronel"), ("Cap", "capitão"), ("Maj", "major"), ("Sgt", "sargento"),
            ("Ten", "tenente"), ("Alm", "almirante"),
        )),
        *((rf"(?<![\w.])[{short[0].upper()}{short[0]}]{short[1:]}\.(?= [IVXLC]+(?!\w))", word) for short, word in (
            ("cap", "capítulo"), ("vol", "volume"), ("art", "artigo"), ("inc", "inciso"),
        )),
        (r"(?<=º )esq\.", "esquerdo."), (r"(?<=º )d(?:to|ir)\.", "direito."),
        (r"(?<=\d )e ss\.", "e seguintes."), (r"(?<=[ªa] )ed\.", "edição."), (r"(?<![\w.])[Ee]x\.(?=:)", "exemplo"),
        (r"(?<!\w)[Bb]l\.(?= [A-Z\d](?!\w))", "bloco"),
        (r"(?<![\w.-])(?<!p\. )(?<!por )ex\.(?=,? [^\W\d])", "por exemplo"), (r"(?<!\w)al\.(?= ?[a-z]\))", "alínea"),
        (r"(?<!\w)[Ss]eg\.? a [Ss]ex(?:\.(?= |,|;|$)|(?!\w))", "segunda a sexta"),
        (r"(?<!\w)[Ss]áb\. e [Dd]om\.", "sábado e domingo"), (r"(?<!\w)[Nn](?:º|\.º|°)(?= d[aeo]s? )", "número"),
        (r"(?:(?<=\d )|(?<=[IVX] )|(?<=século )|(?<=séc\. ))[Aa]\. ?C\.", "antes de Cristo."),
        (r"(?:(?<=\d )|(?<=[IVX] )|(?<=século )|(?<=séc\. ))[Dd]\. ?C\.", "depois de Cristo."),
    ),
    roman=(
        ((r"(?<!\w)(?P<r>[IVX]+)(?= (?:Guerra|República|Bienal|[Ee]dição|Conferência|Feira|Semana|Jornada|Mostra|Copa|"
          r"Olimpíada|Divisão|Cruzada|[Dd]inastia|Internacional|[Ll]egislatura|Assembleia)\b)"),
         "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?P<r>[IVX]+)(?= (?:mil[êé]nio|Congresso|Encontro|Reich|Fórum|Festival|Simpósio|Seminário|Plano|"
          r"Exército|Concílio|Salão|Prêmio|Torneio|Campeonato|Batalhão|Império|Curso)\b)"), "ordinal-masculine", "{n}"),
        (rf"(?<!\w)(?P<r>[IVX]+)(?= de {_MONTH}\b)", "", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)ª)(?!\w)", "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)[º°])(?!\w)", "ordinal-masculine", "{n}"),
        (rf"(?<!\w)(?:sécs?\.|séculos?) [IVX]+[-–](?P<r>{_TO_TEN})(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?:sécs?\.|séculos?) [IVX]+[-–](?P<r>[IVX]{2,})(?!\w)", "", "{n}"),
        (r"(?<!\w)(?:séculos|sécs\.) (?:[IVX]+|[IVX]+, [IVX]+) e (?P<r>[IVX]{2,})(?!\w)", "", "{n}"),
        (rf"(?<!\w)(?:séculos?|sécs?\.|[Cc]apítulo|[Ii]nciso) (?P<r>{_TO_TEN})(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("séculos?|sécs?\\.|[Ii]nc\\.|[Ii]nciso|[Cc]ap\\.|[Vv]ol\\.|[Aa]rt\\.|[Cc]apítulo|[Tt]omo|"
                     "[Vv]olume|[Pp]arte|[Aa]to|[Cc]ena|[Ll]ivro|Guerra Mundial"), "",
         "{n}"),
        (rf"(?<!\w)(?:Maria|Isabel|Catarina|Elizabeth|Margarida) (?P<r>{_TO_TEN})(?!\w)", "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?:João|Pedro|Afonso|Manuel|Carlos|Filipe|Luís|Henrique|João Paulo|Bento|Pio|José|Miguel|Sebastião|"
         r"Napoleão) (?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)"), "ordinal-masculine", "{n}"),
        ((r"(?<!\w)(?:Ricardo|Eduardo|Jorge|Jaime|Fernando|Sancho|Guilherme|Frederico|Alexandre|Nicolau|Francisco|"
          r"Paulo|Júlio|"
         r"Clemente|Inocêncio|Urbano|Bonifácio|Ramsés|Dario|Constantino|Umberto|Felipe|Leopoldo|Alberto|Gustavo|Ivan|"
         r"Leão|"
         r"Gregório|Duarte|Vítor Emanuel) (?P<r>I{2,3}|I?X|IV|VI{1,3}|[IV](?!\.))(?!\w)"), "ordinal-masculine", "{n}"),
        (regnal("Luís|Bento|Pio|Leão|João|Gregório|Afonso|Carlos|Clemente|Inocêncio"), "", "{n}"),
    ),
    letters="á bê cê dê é éfe gê agá i jota cá éle ême êne ó pê quê érre ésse tê u vê dáblio xis ípsilon zê",
    spelled=frozenset({"UE", "EUA", "IA", "URL", "USB", "API", "IBGE", "CO", "UTC", "BCE", "OMS", "OAB", "INSS", "CPI",
    "IPTU", "IPVA", "UTI", "FMI", "HIV", "DNA", "RNA", "IPI", "ICMS", "UFRJ", "UFMG", "IPCA", "IOF", "OMC", "FBI",
    "IBM",
    "AVC", "UPP", "IDH", "IRS", "UGT", "IMC", "EAD", "SOS", "UHF", "ABC"}),
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
