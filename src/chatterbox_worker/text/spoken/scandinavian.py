"""What Danish, Norwegian and Swedish write alike and read with words of their own."""

from __future__ import annotations

from chatterbox_worker.text.spoken.patterns import years_before


def forms(
    *, to: str, once: str, times: str, one_to: str, eighths: str, born: str, died: str, per: str, cubic: str
) -> tuple[tuple[str, str], ...]:
    """Forms of years before Christ, "3 x", ranges of hours, scales such as "1:50 000", eighths and years of a life.

    `per`: a pattern of the word before a unit of an area or a volume ("per km²"); `cubic`: that of "m³".
    """
    units = {"km²": "kvadratkilometer", "m²": "kvadratmeter", "m³": cubic}
    return (
        years_before(r"f\. ?Kr\.", to), (r"(?<!\w)f\. ?Kr\.(?P<all> ?[–-] ?)(?=\d)", f" {to} "),
        (r"(?<![\w.,-])1 ?x(?= [a-zæøåäö])", once),
        (r"(?<![\w.,-])(?P<n>\d{1,2})[-–](?P<m>\d{1,2}) ?x(?= [a-zæøåäö])", f"{{n}} {to} {{m}} {times}"),
        (r"(?<![\w.,-])(?P<n>\d{1,4}) ?x(?= [a-zæøåäö])", f"{{n}} {times}"),
        (r"\b[Kk]l(?:ockan|okken|\.)? \d\d?[.:]\d\d(?P<all> ?[–-] ?)(?=\d\d?(?![\d:]|[.,]\d))", f" {to} "),
        (r"(?<![\w:.,])1:(?P<m>\d{4,}|\d{1,3}(?:[. ]\d{3})+)(?![\w:])", f"{one_to} {{m}}"),
        (r"(?<![\w/.,])(?P<n>[357])/8(?![\w/]|[.,]\d)", f"{{n}} {eighths}"),
        (r"(?<!\w)f\. ?(?=1[5-9]\d\d|20\d\d)", f"{born} "), (r"(?<!\w)d\. ?(?=1[5-9]\d\d|20\d\d)", f"{died} "),
        *((rf"(?<={per} ){unit}(?![\w/])", words) for unit, words in units.items()),
    )  # fmt: skip
