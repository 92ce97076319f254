"""Spanish. Not CLDR's: Real Academia Española, Ortografía de la lengua española (2010), chapters VIII (numbers,
dates, times, Roman numerals) and VI (abbreviations), and Nueva gramática, 21 (agreement of cardinals: "un", "una",
"-cientas").
"""

from dataclasses import replace

from chatterbox_worker.text.spoken.patterns import parts_of, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MASCULINE_IN_A = (
    "día|problema|programa|sistema|tema|poema|planeta|mapa|drama|idioma|clima|cometa|grama|kilograma|atleta|dálmata|"
    "turista|artista|periodista"
)
_FEMININE = (
    rf"=? (?!(?:{_MASCULINE_IN_A})s\b)(?:\w\w+as|\w+(?:ci|si)(?:ón|ones)|\w+(?:dad|tud)(?:es)?|"
    r"\w+[ae]ncia|veces|mujeres|noches|tardes|partes|"
    r"calles|clases|flores|voces|luces|leyes|naves|torres|hora|semana|persona|vez|página|libra|milla|tonelada|pulgada|"
    r"onza|taza|cucharada|cucharadita|pizca|mujer|niña|chica|casa|noche|palabra|letra|línea|pieza|unidad|"
    r"perra|gata|mesa|silla|hoja|botella|copa|caja|"
    r"bolsa|cama|puerta|ventana|carta|llamada|entrada|pregunta|respuesta|vuelta|fila|planta|moneda|foto|película|"
    r"postales|señales|catedrales|sucursales|capitales)\b"
)
_MASCULINE = (
    rf" (?:(?:{_MASCULINE_IN_A})s?|\w\w+[oeé]s|\w+ales|\w+ones|\w+ores|d[ií]as?|mes(?:es)?|año|"
    r"minuto|segundo|kilo|metro|litro|gramo|peso|euro|"
    r"dólar|grado|punto|hombre|niño|chico|libro|vaso|kilómetro|centímetro|milímetro|programas|problemas|sistemas)\b"
)

_NO_NOUN = (
    r" (?:de|del|y|e|o|u|a|al|en|por|para|con|que|es|fue|era|será|sería|está|son|se|sobre|según|sin|hasta|desde|entre|"
    r"cuando|como|no|lo|la|le|el|los|las|si|más|menos|ha|han|hay|ya|aún|también|siempre|nunca|excepto|salvo|mientras|"
    r"aunque|porque|pues|pero|sino|ni|muy|tan|así|luego|después|antes|hace|significa|indica|tiene|debe|puede|contiene|"
    r"equivale|corresponde|representa|incluye|requiere|existe|sirve|permite|\w+mente|\w+(?:ando|iendo|yendo|ará|irá))\b"
)
_BOOKS = r"Salmo|Sal|Sal\.|Mt|Mc|Lc|Jn|Hch|Ro|Co|Ga|Ef|Flp|Hb|Ap"
_COUNTED = r"(?P<w>(?!metro|litro|gramo|kilo|mili|cent[ií]|tonelada|hora|segundo|minuto)[a-záéíóúñ]{4,})\b"
"""What has no thousandths, so that "5,000" before it are five thousand, as it is written in half of Latin America."""

_WHOLE = r"(?P<w>pesos|dólares|soles|colones|personas|habitantes|alumnos|estudiantes|casos|muertos|unidades|empleos)\b"
"""What "1,500" in front of it counts in thousands for sure."""
_DAYS = {
    "lun": "lunes", "mar": "martes", "mié": "miércoles", "jue": "jueves", "vie": "viernes", "sáb": "sábado",
    "dom": "domingo",
}  # fmt: skip

RULES = Rules(
    locale="es", group=". ", decimal=",", cardinal="numbering",
    sections=r"[Ss]ección|[Cc]apítulo|[Aa]partado|[Ff]igura|[Tt]abla|[Vv]ersión|[Ee]jercicio|[Aa]nexo|[Tt]ema|[Pp]unto",
    agreement=(
        (_NO_NOUN, ""),
        (_FEMININE, "cardinal-feminine"),
        (rf"= (?!(?:{_MASCULINE_IN_A})\b)\w+a\b", "cardinal-feminine"),
        (r"= |= ?\w", "cardinal-masculine"),
        (_MASCULINE, "cardinal-masculine"),
        (r" [a-záéíóúñü]", "cardinal-masculine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]apítulo|[Pp]ágina|[Aa]rtículo|[Nn]úmero|[Tt]omo|[Vv]olumen|[Pp]arte|[Ss]ala|[Hh]abitación|"
        r"[Ll]ínea|[Cc]anal|[Nn]ivel|[Ff]ase|[Tt]ipo|[Vv]ersión|[Gg]rupo|[Pp]aso|[Ff]igura|[Tt]abla|"
        r"[Aa]nexo|[Vv]alor|[Oo]pción|[Cc]ódigo|[Pp]uerto|[A-Z]{3,}|[Ee]l|[Dd]el|[Aa]l) $|\w[=:#-]$|#$"
    ),
    ordinals=((r"(?:e?ro|do|to|mo|vo|no)", "ordinal-masculine"), (r"(?:e?ra|da|ta|ma|va|na)", "ordinal-feminine"),
              (r"er\.(?= [a-záéíóúñ])", "ordinal-masculine-adjective"),
              (r"\.?º", "ordinal-masculine"), (r"\.?ª", "ordinal-feminine"),
              (r"\.?er", "ordinal-masculine-adjective"),
              (r"\.o", "ordinal-masculine"), (r"\.a", "ordinal-feminine")),
    out_of="sobre", days_before="el|al|del|día", between={":": "a", "/": "sobre", "x": "por", "^": "elevado a"},
    emergency=r"\b(?:[Ll]lam\w+|[Mm]ar[cq]\w+|[Tt]eléfono) (?:al |el )?",
    scale_letters=((r"M(?= de )", "one{millón} other{millones}"),),
    phones=(r"\bal |\b(?:[Tt]el\.|[Tt]eléfono|[Tt]lf\.|[Mm]óvil|[Ff]ax|[Ll]lam\w+|[Mm]ar[cq]\w+|WhatsApp)"
            r"(?: (?:al|el|es|es el|n\.º))?:? "),
    books=_BOOKS,
    forms=(
        *((rf"(?<!\w){n}(?= (?:Samuel|Reyes|Crónicas) \d{{1,3}}(?!\w))", word)
          for n, word in enumerate(("Primero de", "Segundo de"), 1)),
        *((rf"(?<!\w){n}(?= (?:Corintios|Tesalonicenses|Timoteo|Pedro|Juan) \d{{1,3}}(?!\w))", word)
          for n, word in enumerate(("Primera de", "Segunda de", "Tercera de"), 1)),
        (r"(?<!\w)Sal\. (?=\d{1,3}[:,]\d)", "Salmo "),
        *weekdays(_DAYS, "a", after=r"(?:de |desde )?\d{1,2}(?:h|:\d| ?[-–a])"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) (?P<w>\w+a)s?\b", "una {w} y media"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>\w+as|veces)\b", "{n} {w} y media"),
        (rf"(?<![\d.,])1,000 {_COUNTED}", "mil {w}"),
        (rf"(?<![\d.,])(?P<n>[2-9]|[1-9]\d\d?),000 {_COUNTED}", "{n} mil {w}"),
        (rf"(?<![\d.,])1,(?P<m>[1-9]\d\d) {_WHOLE}", "mil {m} {w}"),
        (rf"(?<![\d.,])(?P<n>[2-9]|[1-9]\d\d?),(?P<m>[1-9]\d\d) {_WHOLE}", "{n} mil {m} {w}"),
        (r"\$ ?(?=\d[\d.,]* ?md[dp]\b)", ""), (r"(?<=\b[AaDdEe]l )911(?!\w|[.,]\d)", "nueve once"),
        (r"(?<=\d)x(?= (?:más|menos|mejor))", "veces"),
        (r"(?<![\w.,])(?P<n>[1-9]\d\d)º(?! ?[CFK](?!\w))(?! [a-z])", "{n} grados"),
        (r"(?<![\w.,'’])(?P<a>\d{1,3})['’](?P<b>\d)(?= ?(?:millones|mil|%|euros?|€|kg|km|m|metros|litros)(?!\w))",
         "{a} coma {b}"),
        (r"(?:(?<=Ley )|(?<=RD )|(?<=Decreto )|(?<=Orgánica )|(?<=DL ))(?P<n>\d{1,4})/(?P<y>(?:19|20)\d\d)(?!\w)",
         "{n} de {y}"),
        (r"(?<=[Ll]os )(?P<n>[1-9]0)s(?!\w)", "{n}"), (r"(?<![\w/.])3/4(?= partes)", "tres cuartas"),
        (r"(?<![\w/.])2/3(?= partes)", "dos terceras"), (r"(?<!\w)[Rr]ef\. ?(?=\[?\d)", "referencia "),
        (r"(?<![\w.])(?P<feet>\d)['’′] ?(?P<n>1[01]|\d)(?:[\"”″]|['’′]{2})", "{feet} pies {n} pulgadas"),
        (r"(?<![\w.,])(?P<n>\d{1,2}) ?¢", "{n} centavos"),
        (r"(?<![\w'’])['’](?=\d0(?!\w))", ""),
        (r"(?<![\w/.,])1/8 ?[lL]\b", "un octavo de litro"), (r"(?<![\w/.,])1/8 ?kg\b", "un octavo de kilogramo"),
        (r"(?<![\w/.])1/8(?= de (?!agosto)[a-z])", "un octavo"), (r"(?<![\w/.])1/5(?= de (?!mayo)[a-z])", "un quinto"),
        (r"(?<![\w/.])(?P<n>[357])/8(?![\w/])", "{n} octavos"), (r"(?<![\w/.])(?P<n>[234])/5(?![\w/])", "{n} quintos"),
        (r"(?<![\d.,/\w])(?<!\d )(?:1/2|½)(?= (?!día|kilograma|programa|cdt?a\b)\w+a\b)", "media"),
        *parts_of("taza|vaso|botella|litro|kilo|metro|hora|libra|cucharad",
                  "un cuarto de", "tres cuartos de", "un tercio de", "dos tercios de"),
        (r"(?<![\d/])24/7(?![\d/])", "veinticuatro siete"),
    ),
    numbered={
        "nº": "número", "n.º": "número", "n°": "número", "núm.": "número", "nro.": "número", "pág.": "página",
        "págs.": "páginas", "p.": "página", "pp.": "páginas", "art.": "artículo", "arts.": "artículos",
        "cap.": "capítulo", "caps.": "capítulos", "fig.": "figura", "figs.": "figuras", "vol.": "volumen",
        "min.": "minuto", "párr.": "párrafo", "ext.": "extensión", "ext": "extensión", "int.": "interior",
        "inc.": "inciso", "num.": "numeral", "exp.": "expediente", "apdo.": "apartado", "esq.": "esquina",
        "km": "kilómetro", "km.": "kilómetro", "cl.": "calle", "cra.": "carrera", "kra.": "carrera", "cr.": "carrera",
    },
    to="a", range_fixes={r"\bun(?= a )": "uno", r"ún(?= a )": "uno"}, score="a", code_number="pairs",
    compass={"N": "norte", "S": "sur", "E": "este", "O": "oeste", "W": "oeste"},
    fractions={
        "1/2": "medio", "1/3": "un tercio", "2/3": "dos tercios", "1/4": "un cuarto", "3/4": "tres cuartos",
    },
    fraction_and=" y ",
    per={
        "mes": "al mes", "año": "al año", "día": "al día", "semana": "a la semana", "hora": "por hora",
        "h": "por hora", "kg": "el kilogramo", "persona": "por persona", "noche": "por noche", "min": "por minuto",
        "litro": "el litro", "l": "el litro", "L": "el litro", "m²": "el metro cuadrado", "m2": "el metro cuadrado",
        "kWh": "el kilovatio hora", "ud.": "la unidad", "unidad": "la unidad", "usuario": "por usuario",
        "km": "el kilómetro",
    },
    money={
        "USD": Money(major="one{dólar} other{dólares}", minor="one{centavo} other{centavos}"),
        "EUR": Money(major="one{euro} other{euros}", minor="one{céntimo} other{céntimos}"),
        "GBP": Money(major="one{libra} other{libras}", minor="one{penique} other{peniques}"),
        "MXN": Money(major="one{peso} other{pesos}", minor="one{centavo} other{centavos}"),
        "JPY": Money(major="one{yen} other{yenes}"),
        "PEN": Money(major="one{sol} other{soles}", minor="one{céntimo} other{céntimos}"),
        "CRC": Money(major="one{colón} other{colones}", minor="one{céntimo} other{céntimos}"),
        "BRL": Money(major="one{real} other{reales}", minor="one{centavo} other{centavos}"),
        "PYG": Money(major="one{guaraní} other{guaraníes}"),
    },
    symbols_of_money={
        "MX$": "MXN", "S/": "PEN", "S/.": "PEN", "U$S": "USD", "RD$": "DOP", "AR$": "ARS", "CLP$": "CLP",
        "COL$": "COP", "COP$": "COP", "Gs.": "PYG", "¢": "CRC",
    },
    money_and=" con ", money_of=" de ", phrase_fixes={
        " mil de ": " mil ", r"^medio (?=cuchar|taza|libra|hora|tonelada|milla|pulgada|onza)": "media ",
        r"^(\w+ (?:cuarto|tercio)s?) (?=[a-z])": r"\1 de ",
    },
    money_scales={
        "mil millones": "other{mil millones}", "mil": "other{mil}", "millones": "other{millones}",
        "millón": "other{millón}", "billones": "other{billones}",
    },
    units={
        "mi": "mile", "Kg": "kilogram", "kgs": "kilogram", "Km": "kilometer", "kms": "kilometer", "mts": "meter",
        "lts": "liter", "hs": "hour", "hrs": "hour", "seg": "second", "gr": "gram", "grs": "gram",
        "cc": "cubic-centimeter", "Km/h": "kilometer-per-hour",
    },
    not_units={"ha": r" \w+(?:[aií]do|cho|sto|rto|lto|ito)\b"},
    unit_words={
        "dB": "one{decibelio} other{decibelios}", "pts": "one{punto} other{puntos}",
        "pts.": "one{punto} other{puntos}", "mdp": "other{millones de pesos}", "mdd": "other{millones de dólares}",
        "cda": "one{cucharada} other{cucharadas}", "cdas": "one{cucharada} other{cucharadas}",
        "cdta": "one{cucharadita} other{cucharaditas}", "cdtas": "one{cucharadita} other{cucharaditas}",
        "cda.": "one{cucharada} other{cucharadas}", "cdas.": "one{cucharada} other{cucharadas}",
        "cdta.": "one{cucharadita} other{cucharaditas}", "cdtas.": "one{cucharadita} other{cucharaditas}",
        "hab./km²": "one{habitante por kilómetro cuadrado} other{habitantes por kilómetro cuadrado}",
        "hab.": "one{habitante} other{habitantes}", "uds.": "one{unidad} other{unidades}",
        "ud.": "one{unidad} other{unidades}",
    },
    time_fixes={"^cero cero$": "cero horas", "^veinticuatro$": "veinticuatro horas"},
    time="{h} {m}", time_low="{h} cero {m}", time_marks=":h", time_after=r"hs\.?|hrs?\.?|h", hour="cardinal-feminine",
    time_dotted=(r"(?:[Aa] las? |[Dd]e las? )?", r"^[AaDd]|h$"),
    halves=((r"a\. ?m\.|am|AM", "a eme"), (r"p\. ?m\.|pm|PM", "pe eme")),
    date="{d} de {m} de {y}",
    phone_plus="más",
    marks={
        ".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", "@": "arroba", ":": "dos puntos",
        "?": "interrogación", "=": "igual", "&": "y", "#": "almohadilla", "%": "por ciento", "+": "más", "~": "tilde",
    },
    symbols={
        "&": "y", "@": "arroba", "#": "número", "№": "número", "§": "sección", "+": "más", "=": "igual a", "×": "por",
        "÷": "entre", "±": "más menos", "²": "al cuadrado", "³": "al cubo", "≈": "aproximadamente", "<": "menor que",
        ">": "mayor que", "≤": "menor o igual que", "≥": "mayor o igual que", "−": "menos", "≠": "distinto de",
        "√": "la raíz cuadrada de",
    },
    titles={
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor", "Dra.": "doctora",
        "D.ª": "doña", "Dña.": "doña", "Ud.": "usted", "Uds.": "ustedes", "Vd.": "usted", "Vds.": "ustedes",
        "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "Prof.": "profesor", "Lic.": "licenciado",
        "Ing.": "ingeniero", "Avda.": "avenida", "Gral.": "general", "aprox.": "aproximadamente", "núm.": "número",
        "pág.": "página", "tel.": "teléfono", "C/": "calle", "C.P.": "código postal", "Tel.": "teléfono",
        "Av.": "avenida", "av.": "avenida", "Avd.": "avenida", "avda.": "avenida", "Pza.": "plaza", "Plza.": "plaza",
        "Bvar.": "bulevar", "Blvd.": "bulevar", "Ctra.": "carretera", "ctra.": "carretera", "Urb.": "urbanización",
        "Edif.": "edificio", "Dpto.": "departamento", "Depto.": "departamento", "dpto.": "departamento",
        "Sto.": "santo", "Sta.": "santa", "Ntra.": "nuestra", "Arq.": "arquitecto", "Mtro.": "maestro",
        "Mtra.": "maestra", "Profa.": "profesora", "Licda.": "licenciada", "Cnel.": "coronel", "Cap.": "capitán",
        "Tte.": "teniente", "Excmo.": "excelentísimo", "Excma.": "excelentísima", "Ilmo.": "ilustrísimo",
        "Ilma.": "ilustrísima", "Sras.": "señoras", "Dres.": "doctores", "Hno.": "hermano", "Hna.": "hermana",
        "Ltda.": "limitada", "h. c.": "honoris causa", "Cel.": "celular", "cel.": "celular", "Hnos.": "hermanos",
        "Apdo.": "apartado", "Esq.": "esquina", "esq.": "esquina", "Fdo.": "firmado", "Atte.": "atentamente",
        "máx.": "máximo", "mín.": "mínimo", "c/u": "cada uno", "s/n": "sin número", "v. gr.": "verbigracia",
        "vs.": "contra", "vs": "contra", "cap.": "capítulo", "fig.": "figura", "vol.": "volumen", "ext.": "extensión",
        "Ext.": "extensión", "art.": "artículo", "Art.": "artículo", "Nro.": "número", "nro.": "número",
        "izq.": "izquierda", "dcha.": "derecha", "prof.": "profesor", "Fco.": "Francisco", "M.ª": "María",
        "Sr. D.": "señor don", "Sra. D.ª": "señora doña", "lun.": "lunes", "mié.": "miércoles", "jue.": "jueves",
        "vie.": "viernes", "sáb.": "sábado", "dom.": "domingo",
    },
    abbreviated=(
        (r"(?<=[\w,:;] )No\.(?= ?\d)|(?<=\()No\.(?= ?\d)", "número"), (r"(?<!\w)Ej\.(?= ?:)", "ejemplo"),
        (r"(?<!\w)lit\.(?= [a-z]\))", "literal"), (r"(?<=\d% )dto\.|(?<=\d % )dto\.", "de descuento."),
        ((r"(?<![\w.])S\.(?= (?:Juan|Pedro|Pablo|José|Antonio|Francisco|Miguel|Martín|Sebastián|Fernando|Isidro|"
          r"Lorenzo|Luis|Ignacio|Agustín|Andrés|Vicente|Jorge|Marcos|Mateo|Lucas|Nicolás)\b)"), "san"),
        ((r"(?<![\w.])D\.(?= (?:Juan|José|Antonio|Manuel|Francisco|Luis|Carlos|Miguel|Pedro|Pablo|Javier|Rafael|"
         r"Fernando|Ángel|Jesús|Alberto|Álvaro|Andrés|Diego|Enrique|Ramón|Ricardo|Roberto|Santiago|Sergio|Vicente|"
         r"Felipe|Jorge|Julio|Mariano|Joaquín|Ignacio|Gonzalo|Eduardo|Emilio|Ernesto|Alfonso|Alfredo|Agustín|"
         r"Benito|Quijote)\b)"), "don"),
    ),
    abbreviations={
        "etc.": "etcétera", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos", "EEUU": "Estados Unidos",
        "a. C.": "antes de Cristo", "a.C.": "antes de Cristo", "A. C.": "antes de Cristo", "A.C.": "antes de Cristo",
        "a. de C.": "antes de Cristo", "d. de C.": "después de Cristo", "d. C.": "después de Cristo",
        "d.C.": "después de Cristo", "Cía.": "compañía", "S. A.": "ese a", "S.A.": "ese a", "S. L.": "ese ele",
        "S.L.": "ese ele", "S. A. R.": "Su Alteza Real", "S.A.R.": "Su Alteza Real", "S. M.": "Su Majestad",
        "S.M.": "Su Majestad", "oct.": "octubre", "sept.": "septiembre", "nov.": "noviembre", "dic.": "diciembre",
        "ene.": "enero", "feb.": "febrero", "abr.": "abril", "ago.": "agosto", "S. A. de C. V.": "ese a de ce uve",
        "S.A. de C.V.": "ese a de ce uve", "M.N.": "moneda nacional", "M. N.": "moneda nacional",
        "RR. HH.": "Recursos Humanos", "RR.HH.": "Recursos Humanos", "RRHH": "Recursos Humanos",
        "JJ. OO.": "Juegos Olímpicos", "JJ.OO.": "Juegos Olímpicos", "CC. AA.": "comunidades autónomas",
        "CC.AA.": "comunidades autónomas", "FF. AA.": "Fuerzas Armadas", "FF.AA.": "Fuerzas Armadas",
        "DD. HH.": "derechos humanos", "DD.HH.": "derechos humanos", "SS. MM.": "Sus Majestades",
        "CC. OO.": "Comisiones Obreras", "CC.OO.": "Comisiones Obreras",
    },
    roman=(
        (r"(?<!\w)(?P<all>[Ss]\. ?(?P<r>[IVX]{2,}|[VX]))(?!\w)", "", "siglo {n}"),
        (r"(?<!\w)(?P<all>ss\. ?(?P<r>[IVX]+))(?=[-–][IVX])", "", "siglos {n}"),
        (r"(?<!\w)ss\. ?[IVX]+(?P<all>[-–](?P<r>[IVX]+))(?!\w)", "", " al {n}"),
        (r"(?<!\w)siglos [IVX]+ (?:y|al|a|o) (?P<r>[IVX]+)(?!\w)", "", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:Guerra|República|Internacional|Cruzada|Edición|edición|Jornada|Feria)\b)",
         "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?P<r>[IVX]+)(?= (?:Congreso|Concurso|Certamen|Festival|Encuentro|Torneo|Premio|Campeonato|"
         r"[Aa]niversario|Plan|Foro|Simposio|Seminario|Salón|Concilio)\b)"), "ordinal-masculine-adjective", "{n}"),
        (roman_after("siglos?|[Cc]apítulos?|[Tt]omo|[Vv]olumen|[Pp]arte|[Aa]cto|[Ee]scena|[Tt]ítulo|[Ff]ase|[Aa]nexo|"
                     "[Ll]ibro|[Tt]ipo|Guerra Mundial|[Cc]ap\\.|[Tt]ít\\.|[Vv]ol\\.|[Aa]rt\\."), "", "{n}"),
        (r"(?<!\w)(?:Isabel|Catalina|Juana|María) (?P<r>I{1,3}|I?V|VI{1,3})(?!\w)", "ordinal-feminine", "{n}"),
        ((r"(?<!\w)(?:Felipe|Carlos|Fernando|Alfonso|Juan Carlos|Luis|Enrique|Juan Pablo|Benedicto|León|P[ií]o|Juan|"
         r"Pedro|Napoleón|Sancho|Jaime|Ramiro|Pablo|Gregorio|Guillermo|Jorge|Eduardo|Nicolás|Alejandro|Francisco) "
         r"(?P<r>I{1,3}|I?V|VI{1,3}|I?X)(?!\w)"), "ordinal-masculine", "{n}"),
        (regnal("Luis|Alfonso|Benedicto|León|P[ií]o|Juan|Gregorio|Carlos|Enrique"), "", "{n}"),
    ),
    letters="a be ce de e efe ge hache i jota ka ele eme ene o pe cu erre ese te u uve doble_uve equis ye zeta",
    spelled=frozenset({
        "UE", "IA", "URL", "USB", "EPS", "API", "ADN", "PDF", "IBM", "CO", "ARN", "UTC", "GPU", "CPU", "DNI", "NBA",
        "ITV", "IPC", "IRPF", "UCI", "FMI", "AFP", "ONG", "UCR", "UBA", "IGV", "UHF",
    }),
    plurals=((r"(?<=[aeiouáéíóú])\(s\)", "s"), (r"(?<=[a-z])\(es\)", "es")),
)  # fmt: skip

_PESOS = {"AR": "ARS", "CL": "CLP", "CO": "COP", "CU": "CUP", "DO": "DOP", "MX": "MXN", "UY": "UYU"}
_DECIMAL_POINTS = frozenset({"419", "CU", "DO", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "SV", "US"})  # CLDR's


def _of_region(region: str) -> Rules:
    """The country's peso for "$", and a decimal point where it is written so."""
    rules = RULES
    if region in _DECIMAL_POINTS:
        rules = replace(rules, locale="es-419", group=", ", decimal=".")
    if (peso := _PESOS.get(region)) is None:
        return rules
    money = Money(major="one{peso} other{pesos}", minor="one{centavo} other{centavos}")
    return replace(rules, money={**rules.money, peso: money}, symbols_of_money={**rules.symbols_of_money, "$": peso})


REGIONS = {region: _of_region(region) for region in {*_PESOS, *_DECIMAL_POINTS}}
