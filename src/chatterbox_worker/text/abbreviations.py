"""Words that end in a full stop without ending a sentence, by language.

Lower case, without the last full stop. `NEVER_LAST` words are always followed by the word they belong to, in either
case: titles, "bzw.", "p. ej."; the parts of a spaced abbreviation ("z. B.") are listed one by one. `BEFORE_NUMBER`
words are abbreviations only before a digit: "No. 5" is one, "No. I won't." is a sentence. A word that may also end a
sentence ("etc.", "usw.", "a.m.") is not listed: before a lower-case letter no full stop ends a sentence anyway.
Single letters are initials (`breaks`), and dotted words ("U.S.", "e.g.") are recognised by their form.
Chinese, Japanese and Korean end sentences with their own marks or abbreviate without full stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Western titles and Latin abbreviations that appear in texts of every language.
_COMMON = "mr mrs ms dr prof st jr sr vs cf e.g i.e ph.d approx ca"


def _sets(tables: dict[str, str]) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({language: frozenset(words.split()) for language, words in tables.items()})


NEVER_LAST = _sets({
    "": _COMMON,
    "ar": "د أ م أ.د ص.ب ق.م",
    "da": "bl.a f.eks hr fr hrs dvs ca kl mht vedr pga iht tlf inkl ekskl cand mag frk skt sct "
          "fhv afd ang vedr ifm ift vha kgl",
    "de": "hr hrn fr frl dipl ing habil z d u i v a o s b bzw ca ggf evtl inkl exkl vgl sog bes insb lt zzgl abzgl geb "
          "gest mind allg engl frz lat dt str bspw d.h z.b z.t u.a i.d.r o.g med phil jur rer nat hl kath ev zw resp "
          "betr bez gem gez ehem versch lfd wg frl fam gebr amerik brit ital span russ poln österr schweiz chin jap "
          "röm griech franz stv überarb erw urspr eigtl eigentl eig bes insbes hrsg univ jew einschl abt",
    "el": "κ κκ κος δρ καθ αγ π.χ δηλ βλ λ.χ πρβλ σελ αρ λεωφ τηλ μ.χ κ.α",
    "en": "messrs mme mlle rev fr hon gov sen rep gen col lt sgt capt cmdr adm maj cpl pvt pres supt det insp mt ft "
          "ave blvd esp viz incl excl est dept asst assn univ",
    "es": "sra srta sres d dña dª dra dres lic ing arq prof.ª ud uds vd vds p ej p.ej ee uu avda gral cnel excmo excma "
          "ilmo mons sto sta aprox núm tel pág hnos lit",
    "fi": "esim ns ks tri prof mm ym fil maist lis toht os mrd milj n vrt toim suom synt puh os huom lk ml",
    "fr": "mm mme mmes mlle mlles me mgr m ste dr pr cf p.ex ex env av boul bd tél éd chap apr vol th réf al chem",
    "he": "פרופ ד גב מר",
    "hi": "डॉ श्री श्रीमती सुश्री कु प्रो पं मो सं रु कि.मी ए बी सी डी एफ एच जे एल एम एन पी आर एस टी वी",
    "it": "sig sigg sig.ra sig.na dott dott.ssa prof.ssa avv ing geom rag arch on sen mons d.ssa p es p.es ss spett "
          "egr gent pag art v vol card gen col ten cav cell tav lett loc fraz rif prot d.lgs artt pagg pp h n nn nr",
    "ms": "en pn tn hj hjh dato datuk prof no sdr sdri jln kg tmn",
    "nl": "dhr mevr mw drs ir ing mr prof bijv bv d.w.z o.a m.b.t i.v.m t.a.v nl resp evt incl excl ca afd tel jhr ds "
          "mgr ong zgn ned fam geb temp",
    "no": "hr fr f.eks bl.a dvs ca kl tlf inkl ekskl vedr iht mht pga st frk cand avd ang ifm ift vha",
    "pl": "p prof dr hab mgr inż lek ks bp abp św tzw np m.in tj ul al pl os im gen płk kpt por ppor mjr zob por ok "
          "godz mec doc o wg ds",
    "pt": "sra srta exmo exma eng engª arq dra profa prof.ª av r p ex p.ex d dª gen cel cap ten pe fr sto sta aprox "
          "tel pág núm v.ex jd pça pç rod al vl trav srta srs sras cel maj sgt bl cj qd vol séc sécs inc",
    "ru": "г гг гр тов акад проф доц канд ул пл пр просп пер д кв стр корп обл р-н св напр т.е т.н т.к т т.ч о оз р ст "
          "см ср рис табл и.о зам зав ген полк кап лейт мр м н",
    "sv": "hr fr dr prof t.ex bl.a d.v.s dvs ca kl tel inkl exkl s.k resp ung fd kand st jfr enl avd ev",
    "sw": "bw bi dkt prof mhe mch sh n.k k.m",
    "tr": "sn dr prof doç yrd av müh alb gen yzb örn bkz vb vs yy ort yak cad sok mah apt hz krş",
})  # fmt: skip

BEFORE_NUMBER = _sets({
    "": "no nos nr p pp vol fig figs ch sec art eq ed col par §",
    "da": "s d stk fig tab kap art nr bd jan feb mar apr jun jul aug sep sept okt nov dec",
    "de": "s kap abs abb art aufl bd nr tel jan feb mär apr jun jul aug sep sept okt nov dez",
    "el": "σελ αρ τ κεφ",
    "en": "jan feb mar apr jun jul aug sep sept oct nov dec tel ext rm apt exod lev deut josh sam chron ps prov eccl "
          "isa jer ezek matt rom cor gal eph phil thess tim heb pet",
    "es": "pág págs cap art tel nº núm inc num exp apdo esq sal ene feb mar abr jun jul ago sep sept oct nov dic",
    "fi": "s luku nro puh klo",
    "fr": "chap tél nº n° art p pp janv jan févr fév avr juil juill sept oct nov déc",
    "it": "pag pagg cap tel num fig tab all co gen feb mar apr mag giu lug ago set sett ott nov dic",
    "ms": "bil hlm jil",
    "nl": "blz hfst hfdst fig par afb dl nrs tab art jan feb mrt apr jun jul aug sep sept okt nov dec",
    "no": "s d fig tab kap art jan feb mar apr jun jul aug sep sept okt nov des",
    "pl": "s str rozdz art poz t tel",
    "pt": "pág págs cap arts fls fl tab lt tel nº núm jan fev mar abr mai jun jul ago set out nov dez",
    "ru": "с стр гл рис табл п пп ч тел янв фев апр авг сент окт нояб дек",
    "sv": "s fig tab f d kap nr jan feb mar apr jun jul aug sep sept okt nov dec",
    "sw": "na uk",
    "tr": "s syf böl no",
})  # fmt: skip

STREET = "str"
"""The end of a street's name before its number in German and Dutch: "Hauptstr. 5"."""

# "am 3. Oktober", "3. lokakuuta", "Karl XII. var": the full stop marks an ordinal number.
ORDINAL_STOP = frozenset({"da", "de", "fi", "no", "pl", "tr"})


def never_last(language: str) -> frozenset[str]:
    return NEVER_LAST[""] | NEVER_LAST.get(language, frozenset())


def before_number(language: str) -> frozenset[str]:
    return BEFORE_NUMBER[""] | BEFORE_NUMBER.get(language, frozenset())
